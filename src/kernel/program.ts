// A loaded BPF program: what it is, where it is pinned, and running it once without traffic.
import { decode, encode } from './codec.ts';
import { check, ENOENT, kernelError } from './errno.ts';
import { addressOf } from './ffi.ts';
import { cStruct } from './layout.ts';
import * as libbpf from './libbpf.ts';
import { close } from './libc.ts';

/** enum bpf_prog_type, as far as it is used. */
export const programType = { schedCls: 3, xdp: 6, syscall: 31 } as const;

export interface ProgramInfo {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  /** A hash of its instructions, 16 hexadecimal digits. */
  readonly tag: string;
  /** Both stay 0 unless the sysctl kernel.bpf_stats_enabled is set. */
  readonly runCount: bigint;
  readonly runTimeNs: bigint;
  readonly verifiedInstructions: number;
}

export interface TestRun {
  /** A frame from its Ethernet header on; xdp and tc programs need one, syscall programs take none. */
  readonly packet?: Uint8Array;
  /** xdp: struct xdp_md; tc: struct __sk_buff; syscall: whatever the program reads and writes. */
  readonly context?: Uint8Array;
  readonly repeat?: number;
  readonly flags?: number;
}

export interface TestResult {
  /** As an unsigned number, or for syscall programs signed. */
  readonly returnValue: number;
  /** The frame as the program left it. */
  readonly packet: Buffer;
  /** The context as the program left it. */
  readonly context: Buffer;
  /** Of one run, on average. */
  readonly durationNs: number;
}

const infoLayout = cStruct('bpf_prog_info', [
  ['type', 'u32'],
  ['id', 'u32'],
  ['tag', 'u8', 8],
  ['jited_prog_len', 'u32'],
  ['xlated_prog_len', 'u32'],
  ['jited_prog_insns', 'u64'],
  ['xlated_prog_insns', 'u64'],
  ['load_time', 'u64'],
  ['created_by_uid', 'u32'],
  ['nr_map_ids', 'u32'],
  ['map_ids', 'u64'],
  ['name', 'u8', 16],
  ['ifindex', 'u32'],
  ['gpl_compatible', 'u32'],
  ['netns_dev', 'u64'],
  ['netns_ino', 'u64'],
  ['nr_jited_ksyms', 'u32'],
  ['nr_jited_func_lens', 'u32'],
  ['jited_ksyms', 'u64'],
  ['jited_func_lens', 'u64'],
  ['btf_id', 'u32'],
  ['func_info_rec_size', 'u32'],
  ['func_info', 'u64'],
  ['nr_func_info', 'u32'],
  ['nr_line_info', 'u32'],
  ['line_info', 'u64'],
  ['jited_line_info', 'u64'],
  ['nr_jited_line_info', 'u32'],
  ['line_info_rec_size', 'u32'],
  ['jited_line_info_rec_size', 'u32'],
  ['nr_prog_tags', 'u32'],
  ['prog_tags', 'u64'],
  ['run_time_ns', 'u64'],
  ['run_cnt', 'u64'],
  ['recursion_misses', 'u64'],
  ['verified_insns', 'u32'],
]);

interface RawInfo {
  readonly type: number;
  readonly id: number;
  readonly tag: Buffer;
  readonly name: Buffer;
  readonly run_time_ns: bigint;
  readonly run_cnt: bigint;
  readonly verified_insns: number;
}

const testLayout = cStruct('bpf_test_run_opts', [
  ['sz', 'u64'],
  ['data_in', 'u64'],
  ['data_out', 'u64'],
  ['data_size_in', 'u32'],
  ['data_size_out', 'u32'],
  ['ctx_in', 'u64'],
  ['ctx_out', 'u64'],
  ['ctx_size_in', 'u32'],
  ['ctx_size_out', 'u32'],
  ['retval', 'u32'],
  ['repeat', 's32'],
  ['duration', 'u32'],
  ['flags', 'u32'],
  ['cpu', 'u32'],
  ['batch_size', 'u32'],
]);

interface RawTest {
  readonly data_size_out: number;
  readonly retval: number;
  readonly duration: number;
}

/** BPF_F_TEST_XDP_LIVE_FRAMES: frames go where the program sends them, and neither data nor context is returned. */
export const liveFrames = 2;
/** What a program may add in front of a packet; the kernel refuses to grow it beyond a page anyway. */
const headroom = 512;

export class BpfProgram implements Disposable {
  readonly fd: number;
  #closed = false;

  /** Takes the fd over: it is closed by dispose. */
  private constructor(fd: number) {
    this.fd = fd;
  }

  static fromFd(fd: number): BpfProgram {
    return new BpfProgram(fd);
  }

  /** undefined when nothing is pinned there. */
  static openPinned(path: string): BpfProgram | undefined {
    const fd = libbpf.objectGet(path);
    return fd === -ENOENT ? undefined : new BpfProgram(check('bpf_obj_get', fd, path));
  }

  /** undefined when there is no program of that id any more. */
  static openById(id: number): BpfProgram | undefined {
    const fd = libbpf.programById(id);
    return fd === -ENOENT ? undefined : new BpfProgram(check('bpf_prog_get_fd_by_id', fd, String(id)));
  }

  info(): ProgramInfo {
    const bytes = Buffer.alloc(infoLayout.size);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    check('bpf_obj_get_info_by_fd', libbpf.objectInfo(this.fd, bytes, size));
    const raw = decode<RawInfo>(infoLayout, bytes);
    return {
      id: raw.id,
      name: raw.name.toString('latin1').replace(/\0.*$/s, ''),
      type: raw.type,
      tag: raw.tag.toString('hex'),
      runCount: raw.run_cnt,
      runTimeNs: raw.run_time_ns,
      verifiedInstructions: raw.verified_insns,
    };
  }

  pin(path: string): void {
    check('bpf_obj_pin', libbpf.objectPin(this.fd, path), path);
  }

  testRun(run: TestRun): TestResult {
    const packetIn = run.packet === undefined ? undefined : Buffer.from(run.packet);
    const contextIn = run.context === undefined ? undefined : Buffer.from(run.context);
    const returnsData = packetIn !== undefined && ((run.flags ?? 0) & liveFrames) === 0;
    const packetOut = returnsData ? Buffer.alloc(packetIn.length + headroom) : undefined;
    const contextOut = returnsData && contextIn !== undefined ? Buffer.alloc(contextIn.length) : undefined;
    const options = encode(testLayout, {
      sz: testLayout.size,
      data_in: addressOf(packetIn),
      data_size_in: packetIn?.length,
      data_out: addressOf(packetOut),
      data_size_out: packetOut?.length,
      ctx_in: addressOf(contextIn),
      ctx_size_in: contextIn?.length,
      ctx_out: addressOf(contextOut),
      ctx_size_out: contextOut?.length,
      repeat: run.repeat,
      flags: run.flags,
    });
    const result = libbpf.programTestRun(this.fd, options);
    if (result < 0) throw kernelError('bpf_prog_test_run_opts', -result);
    const raw = decode<RawTest>(testLayout, options);
    return {
      returnValue: packetIn === undefined ? raw.retval | 0 : raw.retval,
      packet: packetOut === undefined ? Buffer.alloc(0) : packetOut.subarray(0, raw.data_size_out),
      context: contextOut ?? contextIn ?? Buffer.alloc(0),
      durationNs: raw.duration,
    };
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.fd);
  }
}
