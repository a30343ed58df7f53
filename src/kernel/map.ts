// BPF maps: an fd, the bytes of keys and values, and for mmapable arrays the kernel's own memory.

import { untilMemory } from './again.ts';
import { decode, encode } from './codec.ts';
import { check, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOTSUPP, EOPNOTSUPP, kernelError } from './errno.ts';
import { koffi, type Pointer } from './ffi.ts';
import { cStruct, roundUp } from './layout.ts';
import * as libbpf from './libbpf.ts';
import { close, mmap, munmap } from './libc.ts';

/** enum bpf_map_type, as far as it is used. */
export const mapType = {
  hash: 1,
  array: 2,
  percpuHash: 5,
  percpuArray: 6,
  lruHash: 9,
  lruPercpuHash: 10,
  lpmTrie: 11,
  arrayOfMaps: 12,
  hashOfMaps: 13,
  devmap: 14,
  ringbuf: 27,
} as const;

export const mapFlag = {
  noPrealloc: 1 << 0,
  mmapable: 1 << 10,
  innerMap: 1 << 12,
} as const;

export interface MapInfo {
  readonly type: number;
  readonly id: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** Of the types of the object that it was made by; 0 when it was made without. */
  readonly btfId: number;
}

export interface MapSpec {
  readonly type: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  /** The template of what an array or hash of maps may hold. */
  readonly innerFd?: number;
}

interface RawInfo {
  readonly type: number;
  readonly id: number;
  readonly key_size: number;
  readonly value_size: number;
  readonly max_entries: number;
  readonly map_flags: number;
  readonly name: Buffer;
  readonly btf_id: number;
}

const infoLayout = cStruct('bpf_map_info', [
  ['type', 'u32'],
  ['id', 'u32'],
  ['key_size', 'u32'],
  ['value_size', 'u32'],
  ['max_entries', 'u32'],
  ['map_flags', 'u32'],
  ['name', 'u8', 16],
  ['ifindex', 'u32'],
  ['btf_vmlinux_value_type_id', 'u32'],
  ['netns_dev', 'u64'],
  ['netns_ino', 'u64'],
  ['btf_id', 'u32'],
  ['btf_key_type_id', 'u32'],
  ['btf_value_type_id', 'u32'],
  ['btf_vmlinux_id', 'u32'],
]);
const createLayout = cStruct('bpf_map_create_opts', [
  ['sz', 'u64'],
  ['btf_fd', 'u32'],
  ['btf_key_type_id', 'u32'],
  ['btf_value_type_id', 'u32'],
  ['btf_vmlinux_value_type_id', 'u32'],
  ['inner_map_fd', 'u32'],
  ['map_flags', 'u32'],
  ['map_extra', 'u64'],
  ['numa_node', 'u32'],
  ['map_ifindex', 'u32'],
]);

const percpuTypes: readonly number[] = [mapType.percpuHash, mapType.percpuArray, mapType.lruPercpuHash];
const batchEntries = 4096;

export class BpfMap implements Disposable {
  readonly fd: number;
  readonly info: MapInfo;
  /** Bytes of one value as user space sees it: for per-CPU maps all CPUs' values, each rounded up to 8. */
  readonly valueBytes: number;
  #mapped: { readonly at: Pointer; readonly view: ArrayBuffer } | undefined;
  #closed = false;

  /** Takes the fd over: it is closed by dispose. */
  private constructor(fd: number) {
    this.fd = fd;
    this.info = readInfo(fd);
    const { type, valueSize } = this.info;
    this.valueBytes = percpuTypes.includes(type)
      ? roundUp(valueSize, 8) * check('libbpf_num_possible_cpus', libbpf.possibleCpus())
      : valueSize;
  }

  /** Whether its keys are the indexes of an array. */
  get isArray(): boolean {
    return this.info.type === mapType.array || this.info.type === mapType.percpuArray;
  }

  /** Whether `mmap` gives its values. */
  get isMmapable(): boolean {
    return this.info.type === mapType.array && (this.info.flags & mapFlag.mmapable) !== 0;
  }

  static fromFd(fd: number): BpfMap {
    return new BpfMap(fd);
  }

  /** undefined when nothing is pinned there. */
  static openPinned(path: string): BpfMap | undefined {
    const fd = libbpf.objectGet(path);
    return fd === -ENOENT ? undefined : new BpfMap(check('bpf_obj_get', fd, path));
  }

  /** undefined when there is no map of that id any more. */
  static openById(id: number): BpfMap | undefined {
    const fd = libbpf.mapById(id);
    return fd === -ENOENT ? undefined : new BpfMap(check('bpf_map_get_fd_by_id', fd, String(id)));
  }

  static create(spec: MapSpec): BpfMap {
    const options = encode(createLayout, { sz: createLayout.size, inner_map_fd: spec.innerFd, map_flags: spec.flags });
    const fd = libbpf.mapCreate(spec.type, spec.name, spec.keySize, spec.valueSize, spec.maxEntries, options);
    return new BpfMap(check('bpf_map_create', fd, spec.name));
  }

  lookup(key: Uint8Array): Buffer | undefined {
    const value = Buffer.alloc(this.valueBytes);
    this.#expectKey(key);
    const result = libbpf.mapLookup(this.fd, key, value);
    if (result === -ENOENT) return undefined;
    check('bpf_map_lookup_elem', result, this.info.name);
    return value;
  }

  update(key: Uint8Array, value: Uint8Array, flags = 0): void {
    this.#expectKey(key);
    this.#expectValues(value, 1);
    const result = untilMemory(() => libbpf.mapUpdate(this.fd, key, value, flags));
    check('bpf_map_update_elem', result, this.info.name);
  }

  /** False when there was nothing under the key. */
  delete(key: Uint8Array): boolean {
    this.#expectKey(key);
    const result = libbpf.mapDelete(this.fd, key);
    if (result === -ENOENT) return false;
    check('bpf_map_delete_elem', result, this.info.name);
    return true;
  }

  /** Every entry, in the kernel's order. What changes meanwhile may be seen or not. */
  *entries(): Generator<[Buffer, Buffer]> {
    yield* (yield* this.#entriesByBatch()) ? [] : this.#entriesByKey();
  }

  /** `count` keys and as many values, one after another. Stops at the first that the kernel refuses, and throws. */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): void {
    if (count === 0) return;
    this.#expectValues(values, count);
    if (keys.length < count * this.info.keySize)
      throw new RangeError(`${this.info.name}: expected ${count} keys, got ${keys.length} bytes`);
    const done = u32(count);
    const result = libbpf.mapUpdateBatch(this.fd, keys, values, done, null);
    if (isUnsupported(result) || result === -ENOMEM) this.#updateOneByOne(keys, values, count);
    else check('bpf_map_update_batch', result, this.info.name);
  }

  /**
   * The values of an array made with BPF_F_MMAPABLE as the kernel itself has them: entry n is at n * (value size rounded up
   * to 8). Every call gives the same memory. Dispose unmaps it: it must not be touched beyond that.
   */
  mmap(): ArrayBuffer {
    if (this.#mapped === undefined) {
      const length = roundUp(this.info.valueSize, 8) * this.info.maxEntries;
      const at = mmap(this.fd, length);
      this.#mapped = { at, view: koffi().view(at, length) };
    }
    return this.#mapped.view;
  }

  pin(path: string): void {
    check('bpf_obj_pin', libbpf.objectPin(this.fd, path), path);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#mapped !== undefined) munmap(this.#mapped.at, this.#mapped.view.byteLength);
    this.#mapped = undefined;
    close(this.fd);
  }

  /** Returns false, having given nothing, when the map's type has no batch lookup. */
  *#entriesByBatch(): Generator<[Buffer, Buffer], boolean> {
    const { keySize, maxEntries, name } = this.info;
    let capacity = Math.min(batchEntries, maxEntries);
    let from: Buffer | null = null;
    for (;;) {
      const to: Buffer = Buffer.alloc(Math.max(keySize, 8));
      const keys = Buffer.alloc(capacity * keySize);
      const values = Buffer.alloc(capacity * this.valueBytes);
      const count = u32(capacity);
      const result = libbpf.mapLookupBatch(this.fd, from, to, keys, values, count, null);
      if (from === null && isUnsupported(result)) return false;
      if (result === -ENOSPC && capacity < maxEntries) {
        // A bucket of a hash holds more than the room given.
        capacity = Math.min(capacity * 2, maxEntries);
        continue;
      }
      if (result !== -ENOENT) check('bpf_map_lookup_batch', result, name);
      yield* this.#slices(keys, values, count.readUInt32LE(0));
      if (result === -ENOENT) return true;
      from = to;
    }
  }

  *#slices(keys: Buffer, values: Buffer, count: number): Generator<[Buffer, Buffer]> {
    const { keySize } = this.info;
    for (let index = 0; index < count; index++) {
      yield [
        keys.subarray(index * keySize, (index + 1) * keySize),
        values.subarray(index * this.valueBytes, (index + 1) * this.valueBytes),
      ];
    }
  }

  *#entriesByKey(): Generator<[Buffer, Buffer]> {
    let key: Buffer | null = null;
    for (;;) {
      const next: Buffer = Buffer.alloc(this.info.keySize);
      const result = libbpf.mapNextKey(this.fd, key, next);
      if (result === -ENOENT) return;
      check('bpf_map_get_next_key', result, this.info.name);
      const value = this.lookup(next);
      if (value !== undefined) yield [next, value];
      key = next;
    }
  }

  #updateOneByOne(keys: Uint8Array, values: Uint8Array, count: number): void {
    const { keySize } = this.info;
    for (let index = 0; index < count; index++) {
      this.update(
        keys.subarray(index * keySize, (index + 1) * keySize),
        values.subarray(index * this.valueBytes, (index + 1) * this.valueBytes),
      );
    }
  }

  #expectKey(key: Uint8Array): void {
    if (key.length !== this.info.keySize)
      throw new RangeError(`${this.info.name}: expected a key of ${this.info.keySize} bytes, got ${key.length}`);
  }

  #expectValues(values: Uint8Array, count: number): void {
    if (values.length < count * this.valueBytes) {
      throw new RangeError(
        `${this.info.name}: expected ${count} values of ${this.valueBytes} bytes, got ${values.length} bytes`,
      );
    }
  }
}

function readInfo(fd: number): MapInfo {
  const bytes = Buffer.alloc(infoLayout.size);
  const result = libbpf.objectInfo(fd, bytes, u32(bytes.length));
  if (result < 0) {
    close(fd);
    throw kernelError('bpf_obj_get_info_by_fd', -result);
  }
  const raw = decode<RawInfo>(infoLayout, bytes);
  return {
    type: raw.type,
    id: raw.id,
    name: raw.name.toString('latin1').replace(/\0.*$/s, ''),
    keySize: raw.key_size,
    valueSize: raw.value_size,
    maxEntries: raw.max_entries,
    flags: raw.map_flags,
    btfId: raw.btf_id,
  };
}

function isUnsupported(result: number): boolean {
  return [ENOTSUPP, EOPNOTSUPP, EINVAL].includes(-result);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
