// Loading the programs that one instance needs, with its maps made new or taken over, and pinning what comes of it.
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { untilMemory } from '../kernel/again.ts';
import { type Layouts, readLayouts } from '../kernel/btf.ts';
import { encodeInto } from '../kernel/codec.ts';
import { ENOENT } from '../kernel/errno.ts';
import { BpfMap } from '../kernel/map.ts';
import { BpfObject } from '../kernel/object.ts';
import { BpfProgram } from '../kernel/program.ts';
import { FairleadError } from '../model/error.ts';
import { type Feature, loadedFeatures, programsFor, witnessesLast } from './features.ts';
import type { Maps } from './maps.ts';
import { objectPath } from './place.ts';

const vmlinux = '/sys/kernel/btf/vmlinux';
/** The maps by which programs call each other, and the enum that says which is where in them: STAGE_WALK is director_walk's place. */
const stageMaps = [
  { map: 'stages', tag: 'stage', prefix: 'STAGE_' },
  { map: 'tc_stages', tag: 'tc_stage', prefix: 'TC_STAGE_' },
] as const;

let known: { readonly of: string; readonly layouts: Layouts } | undefined;

/** A process that outlives a build gets those of the object that is there now. */
export function readObjectLayouts(): Layouts {
  const stat = statSync(objectPath, { throwIfNoEntry: false });
  if (stat === undefined) throw notBuilt();
  const of = `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
  if (known?.of !== of) known = { of, layouts: readLayouts(objectPath) };
  return known.layouts;
}

/** Which build the programs are of: struct instance's `build`. */
export function readBuild(): number {
  // Imported only here: most commands load nothing, and it takes milliseconds.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(readFileSync(objectPath)).digest().readUInt32LE();
}

export interface Loading {
  /** struct instance's row: constants to the programs. */
  readonly instance: object;
  /** Entries of each map whose size depends on the instance. */
  readonly sizes: Readonly<Record<string, number>>;
  /** What programs are wanted for, beside what every table needs. */
  readonly used?: ReadonlySet<Feature>;
  /** Told how many entries a map would have: a map that the programs shall use instead of a new one. */
  readonly take?: (name: string, entries: number) => BpfMap | undefined;
}

/** Pins maps and programs in the directory. */
export function loadNew(
  directory: string,
  layouts: Layouts,
  { instance, sizes, used = new Set(), take = () => undefined }: Loading,
): void {
  using object = open();
  for (const [map, entries] of Object.entries(sizes)) object.setMaxEntries(map, entries);
  for (const name of ownMaps(object)) {
    const taken = take(name, object.maxEntries(name));
    if (taken !== undefined) object.reuse(name, taken);
  }
  const names = choose(object, used);
  load(object, layouts, instance);
  for (const name of ownMaps(object)) {
    using map = object.map(name);
    map.pin(join(directory, name));
  }
  install(object, directory, layouts, names);
}

/** Sees to it that the programs of these features are there too. Those that are there stay, unless they are of another build. */
export function ensureFeatures(maps: Maps, wanted: Iterable<Feature>): void {
  const present = loadedFeatures(maps.directory);
  const used = new Set([...present, ...wanted]);
  if (used.size === present.size) return;
  if (maps.rows('instances').number('build').get(0) !== readBuild()) {
    throw new FairleadError('not-attached', 'programs of another build of fairlead are attached', {
      hint: 'run fairlead attach, which replaces them; no packet is lost by that',
    });
  }
  addPrograms(maps, used);
}

/** The timer that ends idle connections runs from now on, and with the code of the program that is pinned. */
export function startTimer(directory: string): void {
  runPinned(directory, 'start', 'the timer that ends idle connections did not start');
}

/** Returns when it does nothing any more. */
export function stopTimer(directory: string): void {
  runPinned(directory, 'stop', 'the timer that ends idle connections did not stop');
}

function runPinned(directory: string, name: string, failure: string): void {
  using program = BpfProgram.openPinned(join(directory, name));
  const result = untilMemory(() => program?.testRun({}).returnValue ?? -ENOENT);
  if (result !== 0) throw new FairleadError('kernel', `${failure}: ${result}`);
}

function addPrograms(maps: Maps, used: ReadonlySet<Feature>): void {
  using object = open();
  for (const name of ownMaps(object)) object.reuse(name, maps.map(name));
  const names = choose(object, used, (name) => !existsSync(join(maps.directory, name)));
  load(object, maps.layouts, maps.rows('instances').read<object>(0));
  install(object, maps.directory, maps.layouts, names);
}

function notBuilt(): FairleadError {
  return new FairleadError('no-bpf', `the data plane is not built: ${objectPath} is missing`, {
    hint: 'run npm run build',
  });
}

function open(): BpfObject {
  if (!existsSync(objectPath)) throw notBuilt();
  return BpfObject.open(objectPath);
}

/** Which programs are to be loaded: their names. */
function choose(
  object: BpfObject,
  used: ReadonlySet<Feature>,
  isWanted: (program: string) => boolean = () => true,
): readonly string[] {
  const all = object.programNames();
  const names = programsFor(used, all).filter(isWanted);
  for (const name of all) object.setAutoload(name, names.includes(name));
  return names;
}

function load(object: BpfObject, layouts: Layouts, instance: object): void {
  const constants = object.constants();
  encodeInto(layouts.struct('instance'), instance, constants, layouts.variables('.rodata').field('config').offset);
  object.setConstants(constants);
  try {
    object.load();
  } catch (cause) {
    if (existsSync(vmlinux)) throw cause;
    throw new FairleadError(
      'no-bpf',
      `the programs can't be loaded, and this kernel has no BTF: ${vmlinux} is missing`,
      {
        cause,
        hint: 'it must be built with CONFIG_DEBUG_INFO_BTF',
      },
    );
  }
}

/** Without the sections that libbpf makes maps of. */
function ownMaps(object: BpfObject): readonly string[] {
  return object.mapNames().filter((name) => !name.includes('.'));
}

/** Where others call them, then where processes find them. */
function install(object: BpfObject, directory: string, layouts: Layouts, names: readonly string[]): void {
  for (const { map: mapName, tag, prefix } of stageMaps) {
    using map = BpfMap.openPinned(join(directory, mapName));
    for (const [stage, index] of layouts.enum(tag)) {
      const name = `director_${stage.slice(prefix.length).toLowerCase()}`;
      if (map === undefined || !names.includes(name)) continue;
      using program = object.program(name);
      map.update(int32(index), int32(program.fd));
    }
  }
  for (const name of witnessesLast(names)) {
    using program = object.program(name);
    program.pin(join(directory, `${name}_next`));
    renameSync(join(directory, `${name}_next`), join(directory, name));
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
