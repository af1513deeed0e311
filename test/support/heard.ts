import { connect } from 'node:net';

/** What is said at an address; empty when nobody does. */
export function heard(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port, timeout: 2000 });
    socket.setEncoding('utf8').on('data', (part: string) => (text += part));
    socket.once('error', () => resolve('')).once('timeout', () => socket.destroy());
    socket.once('close', () => resolve(text.trim()));
  });
}
