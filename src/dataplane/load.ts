// Loading the programs for one instance, with its maps made new or taken over, and pinning what comes of it.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { untilMemory } from '../kernel/again.ts';
import { type Layouts, readLayouts } from '../kernel/btf.ts';
import { encodeInto } from '../kernel/codec.ts';
import { ENOENT } from '../kernel/errno.ts';
import { BpfObject } from '../kernel/object.ts';
import { BpfProgram } from '../kernel/program.ts';
import { FairleadError } from '../model/error.ts';
import type { Maps } from './maps.ts';
import { objectPath } from './place.ts';

const vmlinux = '/sys/kernel/btf/vmlinux';

export function readObjectLayouts(): Layouts {
  requireBuilt();
  return readLayouts(objectPath);
}

/** Pins maps and programs in the directory. `instance` is struct instance's row: constants to the programs. */
export function loadNew(
  directory: string,
  layouts: Layouts,
  instance: object,
  sizes: Readonly<Record<string, number>>,
): void {
  using object = open();
  for (const [map, entries] of Object.entries(sizes)) object.setMaxEntries(map, entries);
  load(object, layouts, instance);
  for (const name of ownMaps(object)) {
    using map = object.map(name);
    map.pin(join(directory, name));
  }
  pinPrograms(object, directory);
}

/** The programs as they are built now, over the maps as they are. They are attached by attaching again. */
export function loadAgain(maps: Maps): void {
  using object = open();
  for (const name of ownMaps(object)) object.reuse(name, maps.map(name));
  load(object, maps.layouts, maps.rows('instances').read<object>(0));
  pinPrograms(object, maps.directory);
  startTimer(maps.directory);
}

/** The timer that ends idle connections runs from now on, and with the code of the program that is pinned. */
export function startTimer(directory: string): void {
  using program = BpfProgram.openPinned(join(directory, 'start'));
  const result = untilMemory(() => program?.testRun({}).returnValue ?? -ENOENT);
  if (result === 0) return;
  throw new FairleadError('kernel', `the timer that ends idle connections did not start: ${result}`);
}

function requireBuilt(): void {
  if (existsSync(objectPath)) return;
  throw new FairleadError('no-bpf', `the data plane is not built: ${objectPath} is missing`, {
    hint: 'run npm run build',
  });
}

function open(): BpfObject {
  requireBuilt();
  return BpfObject.open(objectPath);
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

function pinPrograms(object: BpfObject, directory: string): void {
  for (const name of object.programNames()) {
    using program = object.program(name);
    program.pin(join(directory, `${name}_next`));
    renameSync(join(directory, `${name}_next`), join(directory, name));
  }
}
