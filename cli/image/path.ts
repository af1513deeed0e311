/** An image's name in a URL: its slashes stay, as the engine expects them. */
export function imagePath(name: string): string {
  return `/images/${name.split('/').map(encodeURIComponent).join('/')}`;
}
