// Foreign functions: each is bound to its library when it is first called, so importing a binding costs nothing.
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { FairleadError } from '../model/error.ts';

export type Pointer = bigint;
type Library = 'libc.so.6' | 'libbpf.so.1';

let module: typeof Koffi | undefined;
const libraries = new Map<Library, Koffi.LibraryHandle>();
const afterLoad = new Map<Library, () => void>();

export function koffi(): typeof Koffi {
  module ??= load();
  return module;
}

/** Straight from where it mostly is, which koffi's own search takes 4 ms to find out. */
function load(): typeof Koffi {
  const require = createRequire(import.meta.url);
  const platform = `${process.platform}-${process.arch}`;
  try {
    return require(`@koromix/koffi-${platform}/${platform.replace('-', '_')}/koffi.node`);
  } catch {
    return require('koffi');
  }
}

/** Declares a C function; `F` states what its C definition means in TypeScript. Pointers are Buffers, `null` or bigint addresses. */
export function native<F extends (...args: never[]) => unknown>(library: Library, definition: string): F {
  let bound: F | undefined;
  const call = (...args: never[]): unknown => {
    bound ??= open(library).func(definition) as unknown as F;
    return bound(...args);
  };
  return call as F;
}

/** Runs `hook` once, before the first function of the library is called. */
export function onLoad(library: Library, hook: () => void): void {
  afterLoad.set(library, hook);
}

/** The address of a Buffer's bytes. The Buffer must stay referenced for as long as the address is in use. */
export function addressOf(bytes: Uint8Array | undefined): bigint {
  return bytes === undefined || bytes.length === 0 ? 0n : koffi().address(bytes);
}

/** errno of the last foreign call of this thread. */
export function lastErrno(): number {
  return koffi().errno();
}

function open(library: Library): Koffi.LibraryHandle {
  const known = libraries.get(library);
  if (known !== undefined) return known;
  const handle = openLibrary(library);
  libraries.set(library, handle);
  const hook = afterLoad.get(library);
  afterLoad.delete(library);
  hook?.();
  return handle;
}

function openLibrary(library: Library): Koffi.LibraryHandle {
  try {
    return koffi().load(library);
  } catch (cause) {
    const hint = library === 'libbpf.so.1' ? 'install it: apt-get install libbpf1' : undefined;
    throw new FairleadError('no-bpf', `${library} can't be loaded`, { cause, ...(hint === undefined ? {} : { hint }) });
  }
}
