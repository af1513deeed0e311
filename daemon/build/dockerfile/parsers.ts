/** The instructions that only say something: one parser each, by name. Pure. */
import { errorAt } from './dockerfile-error.js';
import { parseCopy, parseRun } from './parse-work.js';
import type { Statement } from './parse.js';
import { checkFlags } from './flags.js';
import { parseHealthcheck } from './parse-healthcheck.js';
import type { Instruction, TextInstruction, WordsInstruction } from './instruction.js';
import { commandOf, jsonWords, pairsOf, plainWords, quotedWords, takeFlags } from './words.js';

/** How one instruction is read. */
export type Parse = (statement: Statement) => Instruction;

function refuseFlags({ rest, escape, line }: Statement): string {
  const { flags, rest: after } = takeFlags(rest, escape);
  checkFlags(flags, {}, line);
  return after;
}

function fewArguments({ kind, line }: Statement, count: string): Error {
  return errorAt(line, `${kind} requires ${count}`);
}

function parseFrom(statement: Statement): Instruction {
  const { line, text, rest, escape } = statement;
  const taken = takeFlags(rest, escape);
  const flags = checkFlags(taken.flags, { platform: 'text' }, line);
  const [image = '', as = '', name = '', ...more] = plainWords(taken.rest);
  const isRight = image !== '' && more.length === 0 && (as === '' || /^as$/i.test(as));
  if (!isRight || (as === '') !== (name === '')) {
    throw fewArguments(statement, 'either one or three arguments');
  }
  const stageName = name.toLowerCase();
  if (name !== '' && !/^[a-z][a-z0-9-_.]*$/.test(stageName)) {
    const why = "name can't start with a number or contain symbols";
    throw errorAt(line, `invalid name for build stage: ${JSON.stringify(name)}, ${why}`);
  }
  return { kind: 'FROM', line, text, image, platform: flags.text('platform'), stageName };
}

function parseArg(statement: Statement): Instruction {
  const { line, text, escape } = statement;
  const words = quotedWords(refuseFlags(statement), escape);
  if (words.length === 0) throw fewArguments(statement, 'at least one argument');
  const args = words.map((word) => {
    const equals = word.indexOf('=');
    if (equals === 0) throw errorAt(line, 'ARG names can not be blank');
    return equals < 0
      ? { name: word }
      : { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
  return { kind: 'ARG', line, text, args };
}

function parsePairs(kind: 'ENV' | 'LABEL'): Parse {
  return (statement) => {
    const { line, text, escape } = statement;
    const pairs = pairsOf(kind, refuseFlags(statement), escape);
    if (pairs.length === 0) throw fewArguments(statement, 'at least one argument');
    if (pairs.some(({ name }) => name === '')) {
      throw errorAt(line, `${kind} names can not be blank`);
    }
    return { kind, line, text, pairs };
  };
}

function parseText(kind: TextInstruction['kind']): Parse {
  return (statement) => {
    const { line, text } = statement;
    const value = refuseFlags(statement);
    if (value === '') throw fewArguments(statement, 'exactly one argument');
    return { kind, line, text, value };
  };
}

function parseWords(kind: WordsInstruction['kind']): Parse {
  return (statement) => {
    const { line, text } = statement;
    const rest = refuseFlags(statement);
    const list = kind === 'EXPOSE' ? undefined : jsonWords(rest);
    if (kind === 'SHELL' && list === undefined && rest !== '') {
      throw errorAt(line, 'SHELL requires the arguments to be in JSON form');
    }
    const words = list ?? plainWords(rest);
    if (words.length === 0) throw fewArguments(statement, 'at least one argument');
    if (kind === 'VOLUME' && words.some((word) => word.trim() === '')) {
      throw errorAt(line, 'VOLUME specified can not be an empty string');
    }
    return { kind, line, text, words };
  };
}

function parseCommand(kind: 'CMD' | 'ENTRYPOINT'): Parse {
  return (statement) => {
    const { line, text } = statement;
    return { kind, line, text, command: commandOf(refuseFlags(statement)) };
  };
}

function parseOnbuild(statement: Statement): Instruction {
  const { line, text, rest } = statement;
  if (rest === '') throw fewArguments(statement, 'at least one argument');
  const word = (/^\S+/.exec(rest)?.[0] ?? '').toUpperCase();
  if (word === 'ONBUILD') {
    throw errorAt(line, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  if (word === 'MAINTAINER' || word === 'FROM') {
    throw errorAt(line, `${word} isn't allowed as an ONBUILD trigger`);
  }
  const documents = statement.heredocs.map(({ name, content }) => `\n${content}${name}`).join('');
  return { kind: 'ONBUILD', line, text, trigger: rest + documents };
}

/** By the instruction's name, in the order in which Docker looks for what was meant. */
export const parsers: Readonly<Record<string, Parse>> = {
  ADD: parseCopy('ADD'),
  ARG: parseArg,
  CMD: parseCommand('CMD'),
  COPY: parseCopy('COPY'),
  ENTRYPOINT: parseCommand('ENTRYPOINT'),
  ENV: parsePairs('ENV'),
  EXPOSE: parseWords('EXPOSE'),
  FROM: parseFrom,
  HEALTHCHECK: parseHealthcheck,
  LABEL: parsePairs('LABEL'),
  MAINTAINER: parseText('MAINTAINER'),
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseWords('SHELL'),
  STOPSIGNAL: parseText('STOPSIGNAL'),
  USER: parseText('USER'),
  VOLUME: parseWords('VOLUME'),
  WORKDIR: parseText('WORKDIR'),
};
