/** Loads the suites that the environment names, one after another, into this process. */
import { delimiter } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'tap';

for (const file of (process.env['TSDOCKER_SUITES'] ?? '').split(delimiter)) {
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    // A suite that cannot be loaded is a failure of its own; the others still run.
    void test(`${file} loads`, (t) => {
      t.error(error);
      t.end();
    });
  }
}
