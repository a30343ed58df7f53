// Writes a cpio archive in the "newc" form, which is what the kernel unpacks as its first root file system.

export interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly content?: Buffer;
}

const FILE = 0o100000;
const FOLDER = 0o040000;

export function file(path: string, content: Buffer, mode = 0o644): Entry {
  return { path, mode: FILE | mode, content };
}

export function folder(path: string): Entry {
  return { path, mode: FOLDER | 0o755 };
}

/** Folders come before what is in them. */
export function encodeCpio(entries: readonly Entry[]): Buffer {
  const end: Entry = { path: 'TRAILER!!!', mode: 0 };
  return Buffer.concat([...entries, end].flatMap((entry, index) => encodeEntry(entry, index + 1)));
}

function encodeEntry({ path, mode, content = Buffer.alloc(0) }: Entry, inode: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const [uid, gid, links, time, device, checksum] = [0, 0, 1, 0, 0, 0];
  const fields = [
    inode,
    mode,
    uid,
    gid,
    links,
    time,
    content.length,
    ...[device, device, device, device],
    name.length,
    checksum,
  ];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [padded(Buffer.concat([header, name])), padded(content)];
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
