// A compiled BPF object: opened, adjusted, loaded by libbpf, and taken apart into maps and programs.
import { check, KernelError, kernelError } from './errno.ts';
import { koffi, lastErrno, type Pointer } from './ffi.ts';
import * as libbpf from './libbpf.ts';
import { duplicate } from './libc.ts';
import { BpfMap } from './map.ts';
import { BpfProgram } from './program.ts';

/** How much of the verifier's log an error quotes: the reason stands in its last lines. */
const quotedLines = 25;

export class BpfObject implements Disposable {
  readonly path: string;
  readonly #object: Pointer;
  #closed = false;

  private constructor(path: string, object: Pointer) {
    this.path = path;
    this.#object = object;
  }

  static open(path: string): BpfObject {
    libbpf.forgetMessages();
    const object = libbpf.objectOpenFile(path, null);
    if (object === null) throw kernelError('bpf_object__open_file', lastErrno(), path, libbpf.messages(quotedLines));
    return new BpfObject(path, object);
  }

  mapNames(): string[] {
    return this.#all(libbpf.objectNextMap).map((map) => libbpf.mapName(map));
  }

  programNames(): string[] {
    return this.#all(libbpf.objectNextProgram).map((program) => libbpf.programName(program));
  }

  /** Before load: a copy of .rodata's initial bytes, the programs' constants. */
  constants(): Buffer {
    const { at, size } = this.#initialValue();
    return Buffer.from(new Uint8Array(koffi().view(at, size)));
  }

  /** Before load: replaces .rodata whole; the length must be the same. */
  setConstants(bytes: Uint8Array): void {
    const { map, size } = this.#initialValue();
    if (bytes.length !== size) throw new RangeError(`.rodata: expected ${size} bytes, got ${bytes.length}`);
    check('bpf_map__set_initial_value', libbpf.mapSetInitialValue(map, bytes, bytes.length), '.rodata');
  }

  setMaxEntries(map: string, maxEntries: number): void {
    check('bpf_map__set_max_entries', libbpf.mapSetMaxEntries(this.#map(map), maxEntries), map);
  }

  /** As it is compiled, or was set. */
  maxEntries(map: string): number {
    return libbpf.mapMaxEntries(this.#map(map));
  }

  /** Whether a map is as large as this object's of that name, in its entries and in their number. */
  isSized(map: string, other: BpfMap): boolean {
    const { keySize, valueSize, maxEntries } = other.info;
    const own = this.#map(map);
    return (
      libbpf.mapKeySize(own) === keySize &&
      libbpf.mapValueSize(own) === valueSize &&
      libbpf.mapMaxEntries(own) === maxEntries
    );
  }

  /** Before load: the programs use this map instead of a new one. It may be closed after. */
  reuse(name: string, map: BpfMap): void {
    check('bpf_map__reuse_fd', libbpf.mapReuseFd(this.#map(name), map.fd), name);
  }

  setAutoload(program: string, autoload: boolean): void {
    check('bpf_program__set_autoload', libbpf.programSetAutoload(this.#program(program), autoload), program);
  }

  load(): void {
    libbpf.forgetMessages();
    const result = libbpf.objectLoad(this.#object);
    if (result < 0) throw kernelError('bpf_object__load', -result, this.path, libbpf.messages(quotedLines));
  }

  /** After load: an own handle, which outlives the object. */
  map(name: string): BpfMap {
    return BpfMap.fromFd(duplicate(check('bpf_map__fd', libbpf.mapFd(this.#map(name)), name)));
  }

  /** After load: an own handle, which outlives the object. */
  program(name: string): BpfProgram {
    return BpfProgram.fromFd(duplicate(check('bpf_program__fd', libbpf.programFd(this.#program(name)), name)));
  }

  /** Closes the object's own handles: what was taken out, pinned or attached lives on. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libbpf.objectClose(this.#object);
  }

  #map(name: string): Pointer {
    const map = libbpf.objectFindMap(this.#object, name);
    if (map === null)
      throw new KernelError('bpf_object__find_map_by_name', lastErrno(), { subject: `${name} in ${this.path}` });
    return map;
  }

  #program(name: string): Pointer {
    const program = libbpf.objectFindProgram(this.#object, name);
    if (program === null)
      throw new KernelError('bpf_object__find_program_by_name', lastErrno(), { subject: `${name} in ${this.path}` });
    return program;
  }

  /** Of the section that is called exactly .rodata: clang also makes .rodata.cst32 and the like for tables of its own. */
  #initialValue(): { map: Pointer; at: Pointer; size: number } {
    const map = this.#map('.rodata');
    const sizeOut = Buffer.alloc(8);
    const at = libbpf.mapInitialValue(map, sizeOut);
    if (at === null) throw new KernelError('bpf_map__initial_value', lastErrno(), { subject: '.rodata' });
    return { map, at, size: Number(sizeOut.readBigUInt64LE()) };
  }

  #all(next: (object: Pointer, previous: Pointer | null) => Pointer | null): Pointer[] {
    const found: Pointer[] = [];
    for (let one = next(this.#object, null); one !== null; one = next(this.#object, one)) found.push(one);
    return found;
  }
}
