/** The project's units under a systemd, which starts the daemon three times: two minutes there. */
import { holdUnderUserMode } from '../support/kernel-suites.js';

holdUnderUserMode(['integration/systemd-units'], { systemd: true, timeoutMs: 500_000 });
