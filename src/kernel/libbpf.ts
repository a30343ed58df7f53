// libbpf.so.1 as declared in bpf/libbpf.h and bpf/bpf.h: only what is used here, and what it last had to say.
import { koffi, native, onLoad, type Pointer } from './ffi.ts';

const libbpf = 'libbpf.so.1';
type Bytes = Uint8Array | null;

export const objectOpenFile = native<(path: string, options: Bytes) => Pointer | null>(
  libbpf,
  'void *bpf_object__open_file(const char *path, const void *opts)',
);
export const objectLoad = native<(object: Pointer) => number>(libbpf, 'int bpf_object__load(void *obj)');
export const objectClose = native<(object: Pointer) => void>(libbpf, 'void bpf_object__close(void *obj)');
export const objectFindMap = native<(object: Pointer, name: string) => Pointer | null>(
  libbpf,
  'void *bpf_object__find_map_by_name(const void *obj, const char *name)',
);
export const objectNextMap = native<(object: Pointer, map: Pointer | null) => Pointer | null>(
  libbpf,
  'void *bpf_object__next_map(const void *obj, const void *map)',
);
export const objectFindProgram = native<(object: Pointer, name: string) => Pointer | null>(
  libbpf,
  'void *bpf_object__find_program_by_name(const void *obj, const char *name)',
);
export const objectNextProgram = native<(object: Pointer, program: Pointer | null) => Pointer | null>(
  libbpf,
  'void *bpf_object__next_program(const void *obj, void *prog)',
);

export const mapName = native<(map: Pointer) => string>(libbpf, 'const char *bpf_map__name(const void *map)');
export const mapFd = native<(map: Pointer) => number>(libbpf, 'int bpf_map__fd(const void *map)');
export const mapInitialValue = native<(map: Pointer, size: Buffer) => Pointer | null>(
  libbpf,
  'void *bpf_map__initial_value(void *map, void *psize)',
);
export const mapSetInitialValue = native<(map: Pointer, data: Uint8Array, size: number) => number>(
  libbpf,
  'int bpf_map__set_initial_value(void *map, const void *data, size_t size)',
);
export const mapSetMaxEntries = native<(map: Pointer, maxEntries: number) => number>(
  libbpf,
  'int bpf_map__set_max_entries(void *map, uint32_t max_entries)',
);
export const mapMaxEntries = native<(map: Pointer) => number>(libbpf, 'uint32_t bpf_map__max_entries(const void *map)');
export const mapKeySize = native<(map: Pointer) => number>(libbpf, 'uint32_t bpf_map__key_size(const void *map)');
export const mapValueSize = native<(map: Pointer) => number>(libbpf, 'uint32_t bpf_map__value_size(const void *map)');
export const mapReuseFd = native<(map: Pointer, fd: number) => number>(
  libbpf,
  'int bpf_map__reuse_fd(void *map, int fd)',
);

export const programName = native<(program: Pointer) => string>(
  libbpf,
  'const char *bpf_program__name(const void *prog)',
);
export const programFd = native<(program: Pointer) => number>(libbpf, 'int bpf_program__fd(const void *prog)');
export const programSetAutoload = native<(program: Pointer, autoload: boolean) => number>(
  libbpf,
  'int bpf_program__set_autoload(void *prog, bool autoload)',
);

export const mapCreate = native<
  (type: number, name: string, keySize: number, valueSize: number, maxEntries: number, options: Bytes) => number
>(
  libbpf,
  'int bpf_map_create(int map_type, const char *map_name, uint32_t key_size, uint32_t value_size, uint32_t max_entries, const void *opts)',
);
export const mapLookup = native<(fd: number, key: Uint8Array, value: Uint8Array) => number>(
  libbpf,
  'int bpf_map_lookup_elem(int fd, const void *key, void *value)',
);
export const mapUpdate = native<(fd: number, key: Uint8Array, value: Uint8Array, flags: number) => number>(
  libbpf,
  'int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)',
);
export const mapDelete = native<(fd: number, key: Uint8Array) => number>(
  libbpf,
  'int bpf_map_delete_elem(int fd, const void *key)',
);
export const mapNextKey = native<(fd: number, key: Bytes, next: Uint8Array) => number>(
  libbpf,
  'int bpf_map_get_next_key(int fd, const void *key, void *next_key)',
);
export const mapLookupBatch = native<
  (
    fd: number,
    from: Bytes,
    to: Uint8Array,
    keys: Uint8Array,
    values: Uint8Array,
    count: Uint8Array,
    options: Bytes,
  ) => number
>(
  libbpf,
  'int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, void *count, const void *opts)',
);
export const mapUpdateBatch = native<
  (fd: number, keys: Uint8Array, values: Uint8Array, count: Uint8Array, options: Bytes) => number
>(libbpf, 'int bpf_map_update_batch(int fd, const void *keys, const void *values, void *count, const void *opts)');

export const objectPin = native<(fd: number, path: string) => number>(
  libbpf,
  'int bpf_obj_pin(int fd, const char *pathname)',
);
export const objectGet = native<(path: string) => number>(libbpf, 'int bpf_obj_get(const char *pathname)');
export const objectInfo = native<(fd: number, info: Uint8Array, size: Uint8Array) => number>(
  libbpf,
  'int bpf_obj_get_info_by_fd(int bpf_fd, void *info, void *info_len)',
);
export const mapById = native<(id: number) => number>(libbpf, 'int bpf_map_get_fd_by_id(uint32_t id)');
export const btfById = native<(id: number) => number>(libbpf, 'int bpf_btf_get_fd_by_id(uint32_t id)');
export const programById = native<(id: number) => number>(libbpf, 'int bpf_prog_get_fd_by_id(uint32_t id)');
export const programTestRun = native<(fd: number, options: Uint8Array) => number>(
  libbpf,
  'int bpf_prog_test_run_opts(int prog_fd, void *opts)',
);
export const possibleCpus = native<() => number>(libbpf, 'int libbpf_num_possible_cpus()');

export const linkCreate = native<(programFd: number, target: number, attachType: number, options: Bytes) => number>(
  libbpf,
  'int bpf_link_create(int prog_fd, int target_fd, int attach_type, const void *opts)',
);
export const linkUpdate = native<(linkFd: number, programFd: number, options: Bytes) => number>(
  libbpf,
  'int bpf_link_update(int link_fd, int new_prog_fd, const void *opts)',
);
export const linkDetach = native<(linkFd: number) => number>(libbpf, 'int bpf_link_detach(int link_fd)');
export const xdpQuery = native<(ifindex: number, flags: number, options: Uint8Array) => number>(
  libbpf,
  'int bpf_xdp_query(int ifindex, int flags, void *opts)',
);

export const tcHookCreate = native<(hook: Uint8Array) => number>(libbpf, 'int bpf_tc_hook_create(void *hook)');
export const tcHookDestroy = native<(hook: Uint8Array) => number>(libbpf, 'int bpf_tc_hook_destroy(void *hook)');
export const tcAttach = native<(hook: Uint8Array, options: Uint8Array) => number>(
  libbpf,
  'int bpf_tc_attach(const void *hook, void *opts)',
);
export const tcDetach = native<(hook: Uint8Array, options: Uint8Array) => number>(
  libbpf,
  'int bpf_tc_detach(const void *hook, const void *opts)',
);

/** What libbpf printed since `forgetMessages`, its end: the verifier's log when a program was refused. */
export function messages(lines: number): string {
  return printed.trimEnd().split('\n').slice(-lines).join('\n');
}

export function forgetMessages(): void {
  printed = '';
}

const keptCharacters = 64 * 1024;
/** libbpf's levels: 0 warning, 1 information, 2 debugging. */
const wantedLevel = 0;
let printed = '';

const setPrint = native<(callback: Pointer) => Pointer | null>(libbpf, 'void *libbpf_set_print(void *fn)');
const vsnprintf = native<(buffer: Bytes, size: number, format: Pointer, list: Uint8Array) => number>(
  'libc.so.6',
  'int vsnprintf(void *str, size_t size, const void *format, void *ap)',
);

onLoad(libbpf, () => {
  const prototype = koffi().proto('int', ['int', 'void *', 'void *']);
  setPrint(koffi().register(print, koffi().pointer(prototype)));
});

function print(level: number, format: Pointer, list: Pointer): number {
  if (level > wantedLevel) return 0;
  const length = vsnprintf(null, 0, format, copyList(list));
  const text = Buffer.alloc(Math.max(length, 0) + 1);
  vsnprintf(text, text.length, format, copyList(list));
  printed = (printed + text.toString('latin1', 0, text.length - 1)).slice(-keptCharacters);
  return length;
}

/** vsnprintf uses a va_list up. On both x86-64 (24 bytes) and arm64 (32) it comes as the address of a struct. */
function copyList(list: Pointer): Uint8Array {
  const size = process.arch === 'x64' ? 24 : 32;
  return new Uint8Array(koffi().view(list, size)).slice();
}
