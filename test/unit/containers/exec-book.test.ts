/** For how long an exec that has ended is known. */
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { Exec, ExecBook } from '../../../daemon/containers/exec-book.js';
import type { Container } from '../../../daemon/containers/container.js';
import type { ExecRecord } from '../../../daemon/runtime/exec-task.js';

/** Nothing of a container is looked at but what is listened for. */
const box = { id: 'box', onExit: () => undefined, onRemoval: () => undefined };

const keptMs = 200;

function execs(names: readonly string[], more: Partial<ExecRecord> = {}) {
  const book = new ExecBook(keptMs);
  const made = names.map((id) => {
    const exec = new Exec({
      id, containerId: box.id, command: ['true'], user: '', env: [], workingDir: '', tty: false,
      privileged: false, stdin: false, stdout: false, stderr: false, ...more,
    });
    book.add(exec, box as unknown as Container);
    return exec;
  });
  const known = () => book.openIds(box.id);
  return { book, made, known };
}

test('each is forgotten in its time, by one timer for all', async (t) => {
  const { book, made, known } = execs(['first', 'second', 'third', 'runs']);
  const [first, second, third] = made as [Exec, Exec, Exec];
  book.dropLater(first);
  book.dropLater(second);
  await sleep(keptMs / 2);
  book.dropLater(third);
  t.same(known(), ['first', 'second', 'third', 'runs']);
  await sleep(keptMs * 0.75);
  t.same(known(), ['third', 'runs']);
  t.throws(() => book.resolve('first'), { message: 'No such exec instance: first' });
  await sleep(keptMs);
  t.same(known(), ['runs']);
  // The timer begins anew.
  book.dropLater(book.resolve('runs'));
  await sleep(keptMs * 1.5);
  t.same(known(), []);
});

test('a probe is forgotten at once', async (t) => {
  const { book, made, known } = execs(['probe'], { isProbe: true });
  for (const exec of made) book.dropLater(exec);
  t.same(known(), []);
});
