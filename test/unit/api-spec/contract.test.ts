import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { coverageOf, coverageText } from '../../../api-spec/coverage.js';
import { dockerOperations } from '../../../api-spec/docker-operations.js';
import { openapi, openapiText } from '../../../api-spec/openapi.js';
import type { Operation } from '../../../api-spec/operation.js';
import { operations } from '../../../api-spec/operations/index.js';
import { maxMinor } from '../../../api-spec/versions.js';

const committed = (path: string) =>
  readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8');
// The values are operations; the alias forgets their literal types.
const all = Object.entries(operations) as readonly [string, Operation][];

/** Docker answers these, and does not describe them. */
const undescribed = ['BuildCancel', 'CheckpointCreate', 'CheckpointDelete', 'CheckpointList'];

test('openapi.json is what the operations say', async (t) => {
  t.equal(committed('api-spec/openapi.json'), openapiText());
});

test('the table of operations is what the operations say', async (t) => {
  t.equal(committed('docs/coverage.md'), coverageText());
});

test("every operation is Docker's, under Docker's name", async (t) => {
  for (const [name, operation] of all) {
    t.equal(operation.operationId, name);
    t.ok(dockerOperations.includes(name) || undescribed.includes(name), name);
  }
});

test("Docker's operations up to our version are all described", async (t) => {
  const missing = dockerOperations.filter((id) => coverageOf(id) === 'no');
  // It came with 1.55, which is not spoken yet.
  t.same(missing, ['ImageAttestations']);
});

test('no two operations share a method and path', async (t) => {
  const places = all.map(([, { method, url }]) => `${method} ${url}`);
  t.equal(new Set(places).size, places.length);
});

test('no operation is newer than the highest version', async (t) => {
  for (const [name, { since }] of all) t.ok(since <= maxMinor, name);
});

test('every reference in the document leads somewhere', async (t) => {
  const text = JSON.stringify(openapi());
  const found = text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g);
  const references = new Set([...found].map(([, name = '']) => name));
  t.ok(references.size > 30);
  for (const name of references) t.ok(text.includes(`"${name}":{`), name);
});
