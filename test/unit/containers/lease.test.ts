import { test } from 'tap';
import { Lease } from '../../../daemon/containers/lease.js';

const nothing = (): void => undefined;

test('those that share it go together, one that owns it goes alone, in order', async (t) => {
  const lease = new Lease();
  const order: string[] = [];
  const take = async (name: string, exclusive: boolean) => {
    const release = await lease.take(exclusive, nothing);
    order.push(name);
    return release;
  };
  const [one, two] = await Promise.all([take('one', false), take('two', false)]);
  const owner = take('owner', true);
  const later = take('later', false);
  await Promise.resolve();
  t.strictSame(order, ['one', 'two']);
  one();
  one();
  two();
  const release = await owner;
  t.strictSame(order, ['one', 'two', 'owner']);
  release();
  (await later)();
  t.strictSame(order, ['one', 'two', 'owner', 'later']);
});

test('holders and those who wait are asked to leave', async (t) => {
  const lease = new Lease();
  const asked: string[] = [];
  const release = await lease.take(true, () => asked.push('holder'));
  void lease.take(true, () => asked.push('waiting'));
  lease.demand(new Error('now'));
  t.strictSame(asked, ['holder', 'waiting']);
  release();
});
