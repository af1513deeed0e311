#!/usr/bin/env node
// libuv reads this when its pool is first used, which happens while an ES module loads: so it is
// set here, in CommonJS, before the first import.
process.env['UV_THREADPOOL_SIZE'] ??= '16';

void import('./main.js')
  .then(({ main }) => main(process.argv.slice(2), () => import('./compose.js')))
  .then((status) => process.exit(status));
