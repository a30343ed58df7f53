// Fairlead as a later version might be: the same commands, over programs that lay out what they keep in other ways.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileTo } from './kernel/compile.ts';
import { root } from './root.ts';

export interface OtherBuild extends Disposable {
  /** The path of the command. */
  readonly fairlead: string;
  readonly ipvsadm: string;
}

/** In bpf/fairlead.h: what is there, and what becomes of it. Members move and come, in all that packets and users write. */
const changes: readonly (readonly [before: string, after: string])[] = [
  ['\t__u32 destination; /* of an extension', '\t__u32 tomorrow[2];\n\t__u32 destination; /* of an extension'],
  ['struct service {\n', 'struct service {\n\t__u64 tomorrow;\n'],
  ['struct member {\n', 'struct member {\n\t__u32 tomorrow[3];\n'],
  ['\t__u32 active;\n\t__u32 inactive;\n', '\t__u32 inactive;\n\t__u32 tomorrow;\n\t__u32 active;\n'],
  ['\t__u64 in_packets;\n\t__u64 in_bytes;\n', '\t__u64 in_bytes;\n\t__u64 in_packets;\n'],
  ['struct settings {\n', 'struct settings {\n\t__u64 tomorrow;\n'],
  ['struct instance {\n', 'struct instance {\n\t__u64 tomorrow;\n'],
  ['struct locality {\n', 'struct locality {\n\t__u32 tomorrow;\n'],
  ['struct call_id {\n', 'struct call_id {\n\t__u64 tomorrow;\n'],
  ['struct path_mtu {\n', 'struct path_mtu {\n\t__u32 tomorrow;\n'],
  ['struct mark_rule {\n', 'struct mark_rule {\n\t__u64 tomorrow;\n'],
  ['\tREASONS,\n', '\tREASON_TOMORROW,\n\tREASONS,\n'],
  ['\tEVENTS,\n', '\tEVENT_TOMORROW,\n\tEVENTS,\n'],
];

export function makeOtherBuild(): OtherBuild {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-build-'));
  try {
    for (const name of ['bin', 'dist', 'bpf', 'build/bpf', 'package.json'])
      cpSync(join(root, name), join(folder, name), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const header = join(folder, 'bpf/fairlead.h');
    writeFileSync(header, changes.reduce(changed, readFileSync(header, 'utf8')));
    for (const name of ['director', 'hold'])
      copyFileSync(compileOnce(join(folder, 'bpf'), `${name}.bpf.c`), join(folder, `build/bpf/${name}.bpf.o`));
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return {
    fairlead: join(folder, 'bin/fairlead'),
    ipvsadm: join(folder, 'bin/ipvsadm'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

/**
 * The object, kept for as long as nothing changes that it is made from: it takes a quarter of a minute. The toolchain is in what setup
 * notes of the build's own. Two that make it at once make the same.
 */
function compileOnce(sources: string, name: string): string {
  const hash = createHash('sha256');
  const files = [
    ...readdirSync(sources)
      .sort()
      .map((source) => join(sources, source)),
    join(root, 'test/kernel/compile.ts'),
  ];
  for (const path of files) hash.update(readFileSync(path));
  const notes = JSON.parse(readFileSync(join(root, 'build/.setup.json'), 'utf8'));
  hash.update(`${notes['director.bpf.o']}`);
  const [folder, sum] = [join(root, 'build/other'), hash.digest('hex').slice(0, 16)];
  const kept = join(folder, `${sum}-${name}.o`);
  if (!existsSync(kept)) {
    const made = `${kept}.${process.pid}`;
    mkdirSync(folder, { recursive: true });
    for (const old of readdirSync(folder)) if (!old.startsWith(sum)) rmSync(join(folder, old), { force: true });
    compileTo(join(sources, name), made);
    renameSync(made, kept);
  }
  return kept;
}

function changed(text: string, [before, after]: readonly [string, string]): string {
  const [first, ...rest] = text.split(before);
  if (rest.length !== 1) throw new Error(`bpf/fairlead.h: expected one place with ${JSON.stringify(before)}`);
  return [first, ...rest].join(after);
}
