/** Names for containers that were given none: `adjective_surname`, as Docker's clients expect. */
import { randomInt } from 'node:crypto';

const adjectives = (
  'agile amber ardent artful bold brave bright brisk calm candid careful cheerful clear clever ' +
  'cosmic crisp curious daring deft devoted diligent eager earnest easy elegant fearless ' +
  'fervent fluent fond frank gentle glad golden graceful happy hardy hopeful humble keen kind ' +
  'lively loyal lucid mellow merry modest nimble noble patient peaceful placid polite proud ' +
  'quick quiet radiant rapid ready serene sharp silent sincere smart solid steady sunny swift ' +
  'tender thrifty tidy tough trusty upbeat vibrant vivid warm wise witty zealous'
).split(' ');

const surnames = (
  'abel agnesi anning aryabhata banneker bassi bohr boole borlaug bose braun burnell cannon ' +
  'cantor carson cartwright cerf chandra church codd cori cray curie darwin dijkstra dirac ' +
  'easley einstein elion euclid euler faraday fermat fermi feynman franklin galois gauss ' +
  'germain goodall hamilton hamming haslett hawking heisenberg hermann herschel hertz hodgkin ' +
  'hopper hypatia jackson jemison joliot kalam kare kepler khorana kilby knuth kowalevski ' +
  'lamarr lamport leavitt liskov lovelace maxwell mayer mcclintock meitner mendel mirzakhani ' +
  'montalcini morse napier neumann newton nobel noether pascal pasteur payne perlman poincare ' +
  'ptolemy raman ramanujan ride ritchie rubin saha shannon sinoussi sutherland swartz tesla ' +
  'thompson torvalds turing villani volhard wescoff wiles wing wozniak wright wu yalow yonath'
).split(' ');

/** How often a plain pair is tried before a number is added. */
const plainTries = 6;

/** A name that `isTaken` does not know. */
export function generateName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt += 1) {
    const pair = `${pick(adjectives)}_${pick(surnames)}`;
    const name = attempt < plainTries ? pair : `${pair}${randomInt(10 ** Math.min(attempt, 9))}`;
    if (!isTaken(name)) return name;
  }
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? 'plain';
}
