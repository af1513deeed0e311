/** An ordinary user's daemon with groups of cgroup v2, which it starts six times: minutes there. */
import { holdUnderUserMode } from '../support/kernel-suites.js';

holdUnderUserMode(['integration/rootless-cgroup'], { timeoutMs: 500_000 });
holdUnderUserMode(['integration/rootless-systemd'], { systemd: true, timeoutMs: 300_000 });
