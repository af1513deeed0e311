/** What the daemon's bundle holds, or, where there is none, what is loaded module by module. */
export { main } from './main.js';

/** Loaded only when there is a daemon to run. */
export const loadCompose = () => import('./compose.js');
