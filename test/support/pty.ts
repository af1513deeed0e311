/** What a terminal shows: a command under one, and its screen as a person sees it in the end. */

/** Puts a terminal of 120 columns around the command that follows; what it shows is the output. */
export const pty: readonly string[] = [
  'python3', '-c',
  'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))',
  'sh', '-c', 'stty cols 120 rows 40; exec "$@"', 'sh',
];

const moves = /\x1b\[(\d*)([ABK])|\r|\n|[^\x1b\r\n]+/g;

/** The rows that are left when all of `output` was shown; of moves, those that progress uses. */
export function screenOf(output: string): readonly string[] {
  const rows: string[] = [''];
  let row = 0;
  let column = 0;
  for (const [text, count, move] of output.matchAll(moves)) {
    const steps = Number(count === '' ? 1 : count);
    if (text === '\r') column = 0;
    else if (text === '\n') row += 1;
    else if (move === 'A') row = Math.max(0, row - steps);
    else if (move === 'B') row += steps;
    else if (move === 'K') rows[row] = '';
    else {
      const before = (rows[row] ?? '').padEnd(column);
      const end = column + text.length;
      rows[row] = before.slice(0, column) + text + before.slice(end);
      column = end;
    }
    while (rows.length <= row) rows.push('');
  }
  return rows.map((line) => line.trimEnd()).filter((line) => line !== '');
}
