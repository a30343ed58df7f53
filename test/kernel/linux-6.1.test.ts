// Kernel 6.1, Debian 12's, takes every object that the build makes: tried in an emulated machine.
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { openImage } from '../vm/image.ts';
import { runInMachine } from '../vm/machine.ts';

const folder = fileURLToPath(new URL('../../build/bpf', import.meta.url));
const objects = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.bpf.o')) : [];

/** Loaded by who uses it, with its constants; the others are loaded as they are, by one process, for to start one takes seconds there. */
const director = 'director.bpf.o';
const others = objects.filter((name) => name !== director).map((name) => `build/bpf/${name}`);
const script = `
  echo '=== ${director}'
  { ./bin/ipvsadm -A -t 192.0.2.1:80 -s rr && ./bin/ipvsadm -Ln && node test/vm/load-all.mjs; } 2>&1; echo "status $?"
  node test/vm/load.mjs ${others.join(' ')} 2>&1`;

describe.skipIf(process.arch !== 'x64')('kernel 6.1', () => {
  let release = '';
  let said: ReadonlyMap<string, string>;

  beforeAll(async () => {
    const image = openImage();
    release = image.release;
    if (!release.startsWith('6.1.'))
      console.warn(`\nTHIS DEBIAN HAS NO KERNEL 6.1: the objects are tried on ${release}\n`);
    const { stdout, stderr } = await runInMachine(image, script);
    const parts = new Map(stdout.split(/^=== /m).map((part) => [part.split('\n', 1)[0], part]));
    said = new Map(objects.map((name) => [name, parts.get(name) ?? `nothing; stderr: ${stderr}`]));
  }, 700_000);

  test.each(objects)('takes %s', (name) => {
    const text = said.get(name) ?? '';
    expect(text.endsWith('status 0\n'), `kernel ${release} or what loads it said:\n${text}`).toBe(true);
  });
});
