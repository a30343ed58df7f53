// Kernel 6.1, Debian 12's, takes every object that the build makes: tried in an emulated machine.
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { openImage } from '../vm/image.ts';
import { runInMachine } from '../vm/machine.ts';

const folder = fileURLToPath(new URL('../../build/bpf', import.meta.url));
const objects = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.bpf.o')) : [];

describe.skipIf(process.arch !== 'x64')('kernel 6.1', () => {
  let release = '';
  let answers: Record<string, string> = {};

  beforeAll(async () => {
    const image = openImage();
    release = image.release;
    if (!release.startsWith('6.1.'))
      console.warn(`\nTHIS DEBIAN HAS NO KERNEL 6.1: the objects are tried on ${release} instead\n`);
    const paths = objects.map((name) => `build/bpf/${name}`);
    const { status, stdout, stderr } = await runInMachine(image, `node test/vm/load.mjs ${paths.join(' ')}`);
    if (status !== 0) throw new Error(`loading in the emulated machine failed:\n${stdout}${stderr}`);
    answers = JSON.parse(stdout);
  });

  test.each(objects)('takes %s', (name) => {
    expect(answers[`build/bpf/${name}`], `what kernel ${release} said`).toBe('');
  });
});
