/**
 * Counts TAP as tap 21 prints it. A test counts, not an assertion: the innermost subtests, and test
 * points that belong to none.
 */

interface Level {
  /** Subtests seen so far directly inside. */
  children: number;
  /** Whether one of them failed: then it has been counted. */
  childFailed: boolean;
  /** Whether an assertion failed directly inside: then it has been printed. */
  assertionFailed: boolean;
  /** Set by `t.skip('why')` inside a test. */
  skipReason: string | undefined;
  /** Names of subtests that have begun and whose test point has not come. */
  readonly open: string[];
}

const emptyLevel = (): Level => ({
  children: 0,
  childFailed: false,
  assertionFailed: false,
  skipReason: undefined,
  open: [],
});

/** What one process says; `end` with a reason when it died. */
export interface TapStream {
  write(text: string): void;
  end(death: string | undefined): void;
}

const pointPattern = /^( *)(not )?ok \d+(?: - )?(.*)$/;
const subtestPattern = /^( *)# Subtest: (.*)$/;
const directivePattern = new RegExp('# (SKIP|TO' + 'DO)\\b ?(.*)$', 'i');
const indentWidth = 4;

function assertion(level: Level, failed: boolean, text: string): void {
  if (failed) level.assertionFailed = true;
  if (directivePattern.test(text)) level.skipReason = text;
}

/** All that ran, whatever the number of processes. */
export class TapTally {
  passed = 0;
  failed = 0;
  readonly skipped: string[] = [];
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  begin(label: string): TapStream {
    const reader = new TapReader(label, this, this.#print);
    let rest = '';
    return {
      write: (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) reader.line(line);
      },
      end: (death) => reader.end(death),
    };
  }
}

class TapReader {
  readonly #levels: Level[] = [emptyLevel()];
  readonly #label: string;
  readonly #tally: TapTally;
  readonly #print: (line: string) => void;
  #failing: number | undefined;
  #failures = 0;

  constructor(label: string, tally: TapTally, print: (line: string) => void) {
    this.#label = label;
    this.#tally = tally;
    this.#print = print;
  }

  line(line: string): void {
    const subtest = subtestPattern.exec(line);
    if (subtest !== null) {
      this.#failing = undefined;
      const depth = (subtest[1] ?? '').length / indentWidth;
      this.#open(depth, subtest[2] ?? '');
      return;
    }
    const point = pointPattern.exec(line);
    if (point !== null) this.#point(point);
    else if (this.#failing !== undefined) this.#explain(line);
  }

  end(death: string | undefined): void {
    const finished = this.#levels.every((level) => level.open.length === 0);
    if (death === undefined && finished) return;
    // A process that dies with its failures told has said all there is.
    if (this.#failures > 0 && finished) return;
    this.#tally.failed += 1;
    const where = this.#levels.flatMap((level) => level.open).join(' > ');
    this.#print(
      `not ok - ${this.#label}: ${death ?? 'ended early'}${where === '' ? '' : ` in ${where}`}`,
    );
  }

  #open(depth: number, name: string): void {
    while (this.#levels.length <= depth + 1) this.#levels.push(emptyLevel());
    const parent = this.#levels[depth];
    if (parent === undefined) return;
    parent.children += 1;
    parent.open.push(name);
    this.#levels[depth + 1] = emptyLevel();
  }

  #point(match: RegExpExecArray): void {
    const indent = (match[1] ?? '').length;
    const depth = indent / indentWidth;
    const failed = match[2] !== undefined;
    const text = match[3] ?? '';
    const level = this.#levels[depth] ?? emptyLevel();
    const inside = this.#closes(depth, text) ? this.#levels[depth + 1] : undefined;
    // A test whose inner test or assertion failed has been explained by that one.
    const isExplained = inside !== undefined && (inside.childFailed || inside.assertionFailed);
    // One that is known to fail, and skipped for that reason, is told of among the skips.
    const isExcused = directivePattern.test(text);
    this.#failing = failed && !isExplained && !isExcused ? indent : undefined;
    if (this.#failing !== undefined) this.#print(`not ok - ${this.#path(depth)}${text}`);
    if (inside !== undefined || depth === 0)
      this.#test(level, inside ?? emptyLevel(), { failed, text });
    else assertion(level, failed, text);
  }

  #test(level: Level, inside: Level, { failed, text }: { failed: boolean; text: string }): void {
    if (failed) level.childFailed = true;
    const isCountedInside = inside.children > 0 && (!failed || inside.childFailed);
    if (isCountedInside) return;
    this.#count(failed, inside.skipReason === undefined ? text : `${text}: ${inside.skipReason}`);
  }

  #count(failed: boolean, text: string): void {
    const directive = directivePattern.exec(text);
    if (directive !== null) {
      this.#tally.skipped.push(`${this.#label}: ${text}`);
    } else if (failed) {
      this.#tally.failed += 1;
      this.#failures += 1;
    } else {
      this.#tally.passed += 1;
    }
  }

  #closes(depth: number, text: string): boolean {
    const open = this.#levels[depth]?.open;
    const name = open?.at(-1);
    if (open === undefined || name === undefined || !text.startsWith(name.slice(0, 20)))
      return false;
    open.pop();
    return true;
  }

  #path(depth: number): string {
    const names = this.#levels.slice(0, depth).flatMap((level) => level.open);
    return [this.#label, ...names, ''].join(' > ');
  }

  /** The YAML block behind a test point that failed. */
  #explain(line: string): void {
    const isInside = line.startsWith(' '.repeat((this.#failing ?? 0) + 2));
    if (isInside && line.trim() !== '') this.#print(line);
    else if (line.trim() !== '') this.#failing = undefined;
  }
}
