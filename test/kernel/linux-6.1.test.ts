// Kernel 6.1, Debian 12's, takes every object that the build makes: tried in an emulated machine.
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { openImage } from '../vm/image.ts';
import { runInMachine } from '../vm/machine.ts';

const folder = fileURLToPath(new URL('../../build/bpf', import.meta.url));
const objects = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.bpf.o')) : [];

/** What loads an object with the constants that it is used with; the others are loaded as they are. */
const COMMANDS: Record<string, string> = {
  'director.bpf.o': './bin/ipvsadm -A -t 192.0.2.1:80 -s rr && ./bin/ipvsadm -Ln && node test/vm/load-all.mjs',
};

describe.skipIf(process.arch !== 'x64')('kernel 6.1', () => {
  let release = '';
  let said: ReadonlyMap<string, string>;

  beforeAll(async () => {
    const image = openImage();
    release = image.release;
    if (!release.startsWith('6.1.'))
      console.warn(`\nTHIS DEBIAN HAS NO KERNEL 6.1: the objects are tried on ${release}\n`);
    const { stdout, stderr } = await runInMachine(image, objects.map(toScript).join('\n'));
    const parts = stdout.split(/^=== (.*)\n/m).slice(1);
    said = new Map(objects.map((name, index) => [name, parts[index * 2 + 1] ?? `nothing; stderr: ${stderr}`]));
  }, 700_000);

  test.each(objects)('takes %s', (name) => {
    const text = said.get(name) ?? '';
    expect(text.endsWith('status 0\n'), `kernel ${release} or what loads it said:\n${text}`).toBe(true);
  });
});

function toScript(name: string): string {
  const command = COMMANDS[name] ?? `node test/vm/load.mjs build/bpf/${name}`;
  return `echo '=== ${name}'; { ${command}; } 2>&1; echo "status $?"`;
}
