// The published JSON Schema is the one that configurations are read by.
import { expect, test } from 'vitest';
import { toJsonSchema } from './json-schema.ts';

test('docs/fairlead.schema.json is up to date (vitest -u makes it so)', async () => {
  await expect(`${JSON.stringify(toJsonSchema(), undefined, 2)}\n`).toMatchFileSnapshot(
    '../../docs/fairlead.schema.json',
  );
});
