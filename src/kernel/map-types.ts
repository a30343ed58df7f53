// The types that a map was made with, as the kernel keeps them: another build's layouts can be read without its object.
import { readBtf, type TypeLayouts } from './btf.ts';
import { encode } from './codec.ts';
import { check } from './errno.ts';
import { addressOf } from './ffi.ts';
import { cStruct } from './layout.ts';
import * as libbpf from './libbpf.ts';
import { close } from './libc.ts';
import type { BpfMap } from './map.ts';

const infoLayout = cStruct('bpf_btf_info', [
  ['btf', 'u64'],
  ['btf_size', 'u32'],
  ['id', 'u32'],
  ['name', 'u64'],
  ['name_len', 'u32'],
  ['kernel_btf', 'u32'],
]);
const sizeOffset = infoLayout.field('btf_size').offset;

/** All types of the object whose map this is; undefined when it was made without any. */
export function readMapTypes({ info: { btfId, name } }: BpfMap): TypeLayouts | undefined {
  if (btfId === 0) return undefined;
  const fd = check('bpf_btf_get_fd_by_id', libbpf.btfById(btfId), name);
  try {
    const bytes = Buffer.alloc(readInfo(fd, undefined));
    readInfo(fd, bytes);
    return readBtf(bytes, `map ${name}`);
  } finally {
    close(fd);
  }
}

/** Returns how many bytes there are, and fills in those that there is room for. */
function readInfo(fd: number, bytes: Buffer | undefined): number {
  const info = encode(infoLayout, { btf: addressOf(bytes), btf_size: bytes?.length ?? 0 });
  const size = Buffer.alloc(4);
  size.writeUInt32LE(info.length);
  check('bpf_obj_get_info_by_fd', libbpf.objectInfo(fd, info, size));
  return info.readUInt32LE(sizeOffset);
}
