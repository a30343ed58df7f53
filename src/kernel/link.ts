// Attachments to XDP and cgroups as BPF links: pinned they outlive their process, and they change program without a gap.
import { closeSync, constants, openSync } from 'node:fs';
import { FairleadError } from '../model/error.ts';
import { decode, encode } from './codec.ts';
import { check, EBUSY, EEXIST, ENOENT, kernelError } from './errno.ts';
import { interfaceName, requireInterface } from './interfaces.ts';
import { cStruct } from './layout.ts';
import * as libbpf from './libbpf.ts';
import { close } from './libc.ts';
import { BpfProgram } from './program.ts';

export type XdpMode = 'native' | 'generic';

export interface LinkInfo {
  readonly id: number;
  readonly programId: number;
  /** Of XDP; undefined when the link is severed: its interface is gone, or has been detached by force. */
  readonly ifindex: number | undefined;
}

const BPF_XDP = 37;
/** enum bpf_attach_type of linux/bpf.h. */
const cgroupHooks = {
  sockOps: 3,
  connect4: 10,
  connect6: 11,
  sendmsg4: 14,
  sendmsg6: 15,
  recvmsg4: 19,
  recvmsg6: 20,
  getpeername4: 29,
  getpeername6: 30,
} as const;
export type CgroupHook = keyof typeof cgroupHooks;
const XDP_FLAGS: Readonly<Record<XdpMode, number>> = { generic: 1 << 1, native: 1 << 2 };

const createLayout = cStruct('bpf_link_create_opts', [
  ['sz', 'u64'],
  ['flags', 'u32'],
  ['iter_info', 'u64'],
  ['iter_info_len', 'u32'],
  ['target_btf_id', 'u32'],
]);
const infoLayout = cStruct('bpf_link_info', [
  ['type', 'u32'],
  ['id', 'u32'],
  ['prog_id', 'u32'],
  ['padding', 'u32'],
  ['ifindex', 'u32'],
]);
const queryLayout = cStruct('bpf_xdp_query_opts', [
  ['sz', 'u64'],
  ['prog_id', 'u32'],
  ['drv_prog_id', 'u32'],
  ['hw_prog_id', 'u32'],
  ['skb_prog_id', 'u32'],
  ['attach_mode', 'u8'],
]);

export class BpfLink implements Disposable {
  readonly fd: number;
  #closed = false;

  /** Takes the fd over: it is closed by dispose, and the last one closed detaches unless the link is pinned. */
  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Throws hook-busy when another program is attached, and interface-missing. */
  static attachXdp({ ifindex, program, mode }: { ifindex: number; program: BpfProgram; mode: XdpMode }): BpfLink {
    const options = encode(createLayout, { sz: createLayout.size, flags: XDP_FLAGS[mode] });
    const fd = libbpf.linkCreate(program.fd, ifindex, BPF_XDP, options);
    if (fd < 0) throw attachError(-fd, ifindex);
    return new BpfLink(fd);
  }

  /** Beside others' programs there. `cgroup`: its directory's path; the program sees all sockets of processes in and below it. */
  static attachCgroup(program: BpfProgram, cgroup: string, hook: CgroupHook): BpfLink {
    const directory = openSync(cgroup, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const options = encode(createLayout, { sz: createLayout.size });
      const fd = libbpf.linkCreate(program.fd, directory, cgroupHooks[hook], options);
      return new BpfLink(check('bpf_link_create', fd, `${hook} of ${cgroup}`));
    } finally {
      closeSync(directory);
    }
  }

  /** undefined when nothing is pinned there. */
  static openPinned(path: string): BpfLink | undefined {
    const fd = libbpf.objectGet(path);
    return fd === -ENOENT ? undefined : new BpfLink(check('bpf_obj_get', fd, path));
  }

  info(): LinkInfo {
    const bytes = Buffer.alloc(64);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    check('bpf_obj_get_info_by_fd', libbpf.objectInfo(this.fd, bytes, size));
    const raw = decode<{ id: number; prog_id: number; ifindex: number }>(infoLayout, bytes);
    return { id: raw.id, programId: raw.prog_id, ifindex: raw.ifindex === 0 ? undefined : raw.ifindex };
  }

  /** Every packet meets the old program or the new one. */
  update(program: BpfProgram): void {
    check('bpf_link_update', libbpf.linkUpdate(this.fd, program.fd, null));
  }

  pin(path: string): void {
    check('bpf_obj_pin', libbpf.objectPin(this.fd, path), path);
  }

  /** Detaches at once, whoever else holds the link. */
  detach(): void {
    check('bpf_link_detach', libbpf.linkDetach(this.fd));
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.fd);
  }
}

export interface AttachedXdp {
  readonly programId: number;
  readonly mode: XdpMode | 'offload' | 'several';
}

/** What is attached to an interface at XDP, be it ours or not. */
export function queryXdp(ifindex: number): AttachedXdp | undefined {
  requireInterface(ifindex);
  const options = encode(queryLayout, { sz: queryLayout.size });
  const result = libbpf.xdpQuery(ifindex, 0, options);
  check('bpf_xdp_query', result, `interface ${interfaceName(ifindex)}`);
  const raw = decode<Record<'prog_id' | 'drv_prog_id' | 'hw_prog_id' | 'skb_prog_id' | 'attach_mode', number>>(
    queryLayout,
    options,
  );
  const modes = [undefined, 'native', 'generic', 'offload', 'several'] as const;
  const mode = modes[raw.attach_mode];
  if (mode === undefined) return undefined;
  const programId = [raw.prog_id, raw.drv_prog_id, raw.skb_prog_id, raw.hw_prog_id].find((id) => id !== 0) ?? 0;
  return { programId, mode };
}

function attachError(errno: number, ifindex: number): FairleadError {
  requireInterface(ifindex);
  const cause = kernelError('bpf_link_create', errno, `XDP on interface ${interfaceName(ifindex)}`);
  if (errno !== EBUSY && errno !== EEXIST) return cause;
  const attached = queryXdp(ifindex);
  const who = attached === undefined ? 'another program' : `program ${programName(attached.programId)}`;
  return new FairleadError('hook-busy', `interface ${interfaceName(ifindex)} has ${who} attached at XDP`, {
    cause,
    hint: 'remove it first, or attach to TC instead',
  });
}

function programName(id: number): string {
  using program = BpfProgram.openById(id);
  return program === undefined ? String(id) : `${id} (${program.info().name})`;
}
