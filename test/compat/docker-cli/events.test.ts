/** What happens is told in Docker's order, with its attributes: on both engines. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cliChecks, fails, walk } from '../../support/cli-table.js';
import type { Special, Step } from '../../support/cli-table.js';
import type { Engine } from '../../support/compat.js';

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

const patienceMs = 10_000;
const trap = (signal: string, code: number): string =>
  `sh -c 'trap "exit ${code}" ${signal}; echo up; while :; do sleep 0.1; done'`;
const isUp: Step = ['~ logs @a', 'up'];
const sleeps: Step = ['run -d --name @a IMG sleep 600'];
const connect = 'network connect name=bridge type=bridge';
const disconnect = connect.replace('connect', 'disconnect');
const started = [connect, 'container start'];
const made = ['container create', ...started];
const ran = (...attributes: readonly string[]): readonly string[] => [
  'container create', 'container attach', ...started, disconnect, ...attributes,
];
const died = (code: number): string => `container die exitCode=${code}`;
const killed = (signal: number, code = 128 + signal): readonly string[] => [
  `container kill signal=${signal}`, disconnect, died(code),
];

/** One event in a line: what differs from run to run left out, what every container's has too. */
function line({ Type, Action, Actor }: Event, name: (text: string) => string): string {
  const dull = ['image', 'container', 'execDuration', ...(Type === 'network' ? [] : ['name'])];
  const told = Object.entries(Actor.Attributes)
    .filter(([key]) => !dull.includes(key))
    .map(([key, value]) => `${key}=${/^[0-9a-f]{64}$/.test(value) ? 'ID' : name(value)}`);
  return [Type, name(Action), ...told.sort()].join(' ');
}

/**
 * Docker tells of a network's end twice when a live container leaves it, of an OOM as often as it
 * pleases, and of a stop now before and now after the end that it waits for.
 */
function settled(lines: readonly string[]): readonly string[] {
  const once = lines.filter((text, at) => text !== lines[at - 1]);
  const isEarly = (text: string | undefined, next: string | undefined): boolean =>
    text === 'container stop' && next?.startsWith('container die') === true;
  return once.map((text, at) => {
    if (isEarly(text, once[at + 1])) return once[at + 1] ?? '';
    return isEarly(once[at - 1], text) ? 'container stop' : text;
  });
}

async function toldOf(engine: Engine, sinceMs: number, mine: Set<string>) {
  const [since, until] = [sinceMs, Date.now() + 1].map((ms) => (ms / 1000).toFixed(3));
  const { text } = await engine.api.get(`/events?since=${since}&until=${until}`);
  const all = text.split('\n').flatMap((row) => (row === '' ? [] : [JSON.parse(row) as Event]));
  const name = (given: string): string => given.replaceAll(`${engine.tag}-`, '@');
  for (const { Type, Actor } of all) {
    const { name: its = '' } = Actor.Attributes;
    if (Type === 'container' && its.startsWith(engine.tag)) mine.add(Actor.ID);
  }
  const isMine = ({ Actor: { ID, Attributes } }: Event): boolean =>
    [ID, Attributes['container'], Attributes['name']].some(
      (text_) => mine.has(text_ ?? '') || text_?.startsWith(engine.tag) === true,
    );
  return settled(all.filter(isMine).map((event) => line(event, name)));
}

/** A script, and all that is told of it. */
function tells(steps: readonly Step[], expected: readonly string[]): Special {
  return async (t, engine) => {
    const sinceMs = Date.now();
    const mine = new Set<string>();
    await walk(t, engine, steps);
    const endMs = Date.now() + patienceMs;
    let told = await toldOf(engine, sinceMs, mine);
    while (told.length < expected.length && Date.now() < endMs) {
      await sleep(100);
      told = await toldOf(engine, sinceMs, mine);
    }
    t.strictSame(told, expected);
  };
}

const ends = {
  'of a run to its end': tells([['run --name @a IMG true']], ran(died(0))),
  'of a run that fails': tells([['run --name @a IMG false', fails(1)]], ran(died(1))),
  'of a run with --rm': tells(
    [['run --rm --name @a --label x=y IMG true']],
    ran(died(0), 'container destroy').map((text) =>
      text.startsWith('container') ? `${text} x=y` : text,
    ),
  ),
  'of a stop': tells(
    [[`run -d --name @a IMG ${trap('TERM', 3)}`], isUp, ['stop @a'], ['rm @a']],
    [...made, ...killed(15, 3), 'container stop', 'container destroy'],
  ),
  'of a stop without patience': tells(
    [sleeps, ['stop -t 0 @a']],
    [...made, 'container kill signal=15', ...killed(9), 'container stop'],
  ),
  'of a stop that has to insist': tells(
    [[`run -d --name @a --stop-timeout 1 IMG sh -c 'trap "" TERM; sleep 600'`], ['stop @a']],
    [...made, 'container kill signal=15', ...killed(9), 'container stop'],
  ),
  'of --stop-signal': tells(
    [[`run -d --name @a --stop-signal USR1 IMG ${trap('USR1', 4)}`], isUp, ['stop @a']],
    [...made, ...killed(10, 4), 'container stop'],
  ),
  'of --init, which hands signals on': tells(
    [[`run -d --init --name @a IMG ${trap('TERM', 5)}`], isUp, ['stop @a']],
    [...made, ...killed(15, 5), 'container stop'],
  ),
  'of a stop of what has ended: nothing': tells(
    [['run --name @a IMG true'], ['stop @a']],
    ran(died(0)),
  ),
  'of a kill': tells([sleeps, ['kill @a'], ['wait @a', '137']], [...made, ...killed(9)]),
  'of a kill by name': tells(
    [[`run -d --name @a IMG ${trap('HUP', 6)}`], isUp, ['kill -s HUP @a'], ['wait @a', '6']],
    [...made, ...killed(1, 6)],
  ),
  'of a kill by number': tells(
    [[`run -d --name @a IMG ${trap('HUP', 6)}`], isUp, ['kill -s 1 @a'], ['wait @a', '6']],
    [...made, ...killed(1, 6)],
  ),
  'of a removal by force': tells(
    [sleeps, ['rm -f @a']],
    [...made, ...killed(9), 'container destroy'],
  ),
  'of an OOM': tells(
    [[`run --name @a -m 16m --memory-swap 16m IMG sh -c 'tail /dev/zero; exit 7'`, fails(7)]],
    [
      ...ran().slice(0, -1), 'container oom', disconnect, died(7),
    ],
  ),
  'of a program that is not there': tells(
    [['run --name @a IMG no-such-program', fails(127)]],
    ['container create', 'container attach', connect, disconnect],
  ),
};

const again = {
  'of a restart, last of all that it is one': tells(
    [sleeps, ['restart -t 0 @a']],
    [
      ...made, 'container kill signal=15', ...killed(9), 'container stop', ...started,
      'container restart',
    ],
  ),
  'of restarts by policy: no restart': tells(
    [
      ['run -d --name @a --restart on-failure:2 IMG false'],
      [`~ inspect -f '{{.RestartCount}} {{.State.Status}}' @a`, '2 exited'],
    ],
    [...made, ...[1, 2].flatMap(() => [disconnect, died(1), ...started]), disconnect, died(1)],
  ),
  'of a kill: its policy leaves it alone': tells(
    [['run -d --name @a --restart always IMG sleep 600'], ['kill @a'], ['wait @a', '137']],
    [...made, ...killed(9)],
  ),
};

const others = {
  'of pause and unpause': tells(
    [sleeps, ['pause @a'], ['unpause @a']],
    [...made, 'container pause', 'container unpause'],
  ),
  'of a stop while it is paused': tells(
    [sleeps, ['pause @a'], ['stop -t 1 @a']],
    [
      ...made, 'container pause', 'container kill signal=15', 'container unpause', ...killed(9),
      'container stop',
    ],
  ),
  'of a new name': tells(
    [['create --name @a IMG'], ['rename @a @b']],
    ['container create', 'container rename oldName=/@a'],
  ),
  'of an update': tells(
    [['create --name @a IMG'], ['update -m 64m --memory-swap 64m @a']],
    ['container create', 'container update'],
  ),
  'of an exec': tells(
    [sleeps, ['exec @a echo hi there']],
    [
      ...made, 'container exec_create: echo hi there execID=ID',
      'container exec_start: echo hi there execID=ID', 'container exec_die execID=ID exitCode=0',
    ],
  ),
  'of top': tells([sleeps, ['top @a']], [...made, 'container top']),
};

const volumes = {
  'of a volume': tells(
    [['volume create @v'], ['run --name @a -v @v:/v IMG true'], ['rm @a'], ['volume rm @v']],
    [
      'volume create driver=local', 'container create', 'container attach', connect,
      'volume mount destination=/v driver=local propagation= read/write=true', 'container start',
      disconnect, 'volume unmount driver=local', died(0), 'container destroy',
      'volume destroy driver=local',
    ],
  ),
  'of a volume that is only read': tells(
    [['run --name @a -v @v:/v:ro IMG true']],
    [
      'volume create driver=local', 'container create', 'container attach', connect,
      'volume mount destination=/v driver=local propagation= read/write=false', 'container start',
      disconnect, 'volume unmount driver=local', died(0),
    ],
  ),
  'of binds and tmpfs: nothing': tells(
    [['run --name @a -v /tmp:/v:ro --tmpfs /w IMG true']],
    ran(died(0)),
  ),
};

const networks = {
  'of a network of its own': tells(
    [['network create @n'], ['run --name @a --network @n IMG true'], ['rm @a'], ['network rm @n']],
    [
      'network create name=@n type=bridge', 'container create', 'container attach',
      'network connect name=@n type=bridge', 'container start',
      'network disconnect name=@n type=bridge', died(0), 'container destroy',
      'network destroy name=@n type=bridge',
    ],
  ),
  'of connect and disconnect': tells(
    [['network create @n'], sleeps, ['network connect @n @a'], ['network disconnect @n @a']],
    [
      'network create name=@n type=bridge', ...made, 'network connect name=@n type=bridge',
      'network disconnect name=@n type=bridge',
    ],
  ),
  'of none': tells(
    [['run --name @a --network none IMG true']],
    ran(died(0)).map((text) => text.replace('name=bridge type=bridge', 'name=none type=null')),
  ),
  'of host': tells(
    [['run --name @a --network host IMG true']],
    ran(died(0)).map((text) => text.replace('name=bridge type=bridge', 'name=host type=host')),
  ),
};

cliChecks({}, { special: { ...ends, ...again, ...others, ...volumes, ...networks } });
