// docs/status.md explains every reason and event that there is, and no other.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const [header, docs] = [read('bpf/fairlead.h'), read('docs/status.md')];

test.each([
  ['reason', 'Not forwarded', ['none']],
  ['event', 'Events', []],
])('enum %s, under "%s"', (name, title, unlisted) => {
  const [, body = ''] = new RegExp(`enum ${name} \\{\\n([\\s\\S]*?)\\n\\};`).exec(header) ?? [];
  const known = [...body.matchAll(new RegExp(`^\\t${name.toUpperCase()}_(\\w+)`, 'gm'))].map(([, word = '']) =>
    word.toLowerCase().replaceAll('_', '-'),
  );
  const [, section = ''] = new RegExp(`## ${title}\\n([\\s\\S]*?)(?=\\n## |$)`).exec(docs) ?? [];
  const explained = [...section.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, word]) => word);
  expect(known.length).toBeGreaterThan(5);
  expect([...explained, ...unlisted].sort()).toEqual(known.sort());
});
