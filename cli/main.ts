import { runProgram } from './program.js';

/** Written whole before the program ends: pipes and files are synchronous on Linux. */
const outputs = {
  print: (text: string): void => void process.stdout.write(text),
  complain: (text: string): void => void process.stderr.write(text),
};

/** As a program that SIGPIPE ended: the reader of our output has gone. */
const brokenPipeStatus = 128 + 13;

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (problem: NodeJS.ErrnoException) => {
    process.exit(problem.code === 'EPIPE' ? brokenPipeStatus : 1);
  });
}

void runProgram(process.argv.slice(2), outputs).then((status) => process.exit(status));
