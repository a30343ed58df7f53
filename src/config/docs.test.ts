// The examples in docs are configurations that are right.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from './load.ts';

const text = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml);

test('there is the one of six lines, and the one of everything', () => {
  expect(examples).toHaveLength(2);
  expect(examples[0]?.trimEnd().split('\n')).toHaveLength(6);
});

test.each(examples.map((yaml, index) => [index + 1, yaml] as const))('example %i', (_, yaml) => {
  expect(parseConfig(Buffer.from(yaml), 'example.yaml').services.length).toBeGreaterThan(0);
});
