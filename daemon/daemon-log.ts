import { writeSync } from 'node:fs';
import type { DestinationStream, Logger } from 'pino';
import { pino } from 'pino';
import { codeOf } from '../native/errno-error.js';
import type { DaemonConfig } from './config/config.js';

/** The daemon's log: pino, on standard error. */
export type DaemonLog = Logger;

const standardError = 2;

const needsQuotes = /[\s"=\\]|^$/;

function word(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return needsQuotes.test(text) ? JSON.stringify(text) : text;
}

/** One of pino's lines as dockerd's text format: `time="…" level=info msg="…" key=value`. */
export function textLine(json: string): string {
  const parsed: unknown = JSON.parse(json);
  if (typeof parsed !== 'object' || parsed === null) return json;
  return `${Object.entries(parsed)
    .map(([key, value]) => `${key}=${word(value)}`)
    .join(' ')}\n`;
}

function write(line: string): void {
  try {
    writeSync(standardError, line);
  } catch (error) {
    // A log that cannot take more (full pipe, closed journal) must not end the daemon.
    if (codeOf(error) === '') throw error;
  }
}

/** The log that the configuration asks for. Lines are written at once, so that none is lost. */
export function openDaemonLog(config: Pick<DaemonConfig, 'logLevel' | 'logFormat'>): DaemonLog {
  const text: DestinationStream = { write: (line) => write(textLine(line)) };
  const json: DestinationStream = { write };
  return pino(
    {
      level: config.logLevel,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    config.logFormat === 'json' ? json : text,
  );
}
