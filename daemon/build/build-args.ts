/** The build arguments of one stage: declared by `ARG`, given by the client, or both. */
import type { Variables } from './dockerfile/expand.js';

/** What the client gives; null declares a name and sets nothing. */
export type GivenArgs = Readonly<Record<string, string | null>>;

/** Names that need no `ARG`: they reach `RUN`, and neither the cache nor the history. */
const proxyNames: ReadonlySet<string> = new Set(
  ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy'].flatMap((name) => [
    name,
    name.toUpperCase(),
  ]),
);

/** Names that were used anywhere, for the warning about those that were not. */
export type UsedArgs = Set<string>;

/** What a `RUN` gets, each `name=value`, sorted. */
export interface RunArgs {
  readonly declared: readonly string[];
  readonly proxies: readonly string[];
}

/** Arguments in scope; mutable, as a stage goes on. */
export class BuildArgs {
  readonly #declared = new Map<string, string | undefined>();

  constructor(
    private readonly given: GivenArgs,
    /** Of the part before the first `FROM`, with the predefined ones. */
    private readonly globals: ReadonlyMap<string, string | undefined>,
    private readonly used: UsedArgs,
  ) {}

  /** `ARG name` or `ARG name=value`; the value is already expanded. */
  declare(name: string, value: string | undefined): void {
    this.used.add(name);
    const inherited = value === undefined ? this.globals.get(name) : value;
    const given = Object.hasOwn(this.given, name) ? this.given[name] : undefined;
    this.#declared.set(name, given ?? inherited);
  }

  /** Those declared that have a value. */
  values(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [name, value] of this.#declared) if (value !== undefined) found.set(name, value);
    return found;
  }

  /** What words of an instruction see: the environment goes before arguments. */
  variables(env: readonly string[]): Variables {
    const environment = environmentOf(env);
    const values = this.values();
    return (name) => environment.get(name) ?? values.get(name);
  }

  /** What a `RUN` gets besides its environment, sorted; proxies come first when not declared. */
  forRun(env: readonly string[]): RunArgs {
    const environment = environmentOf(env);
    const declared = [...this.values()]
      .filter(([name]) => !environment.has(name))
      .map(([name, value]) => `${name}=${value}`)
      .sort();
    const proxies = Object.entries(this.given)
      .filter(([name, value]) => isProxy(name) && value !== null && !this.#declared.has(name))
      .filter(([name]) => !environment.has(name))
      .map(([name, value]) => `${name}=${value ?? ''}`)
      .sort();
    return { declared, proxies };
  }
}

function isProxy(name: string): boolean {
  return proxyNames.has(name);
}

/** Variables by name; the last one wins, as in a process. */
export function environmentOf(env: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    env.map((entry) => {
      const equals = entry.indexOf('=');
      return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

/** Given and never declared, sorted. */
export function unusedArgs(given: GivenArgs, used: UsedArgs): readonly string[] {
  return Object.keys(given)
    .filter((name) => !used.has(name) && !isProxy(name))
    .sort();
}

/** `TARGETPLATFORM` and its like, for both the target and this machine. */
export function platformArgs(target: string, build: string): ReadonlyMap<string, string> {
  const of = (prefix: string, platform: string): readonly (readonly [string, string])[] => {
    const [os = '', architecture = '', variant = ''] = platform.split('/');
    return [
      [`${prefix}PLATFORM`, platform],
      [`${prefix}OS`, os],
      [`${prefix}ARCH`, architecture],
      [`${prefix}VARIANT`, variant],
    ];
  };
  return new Map([...of('TARGET', target), ...of('BUILD', build)]);
}
