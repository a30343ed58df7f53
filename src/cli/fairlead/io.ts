// Where a command writes.
export interface Io {
  readonly stdout: Out;
  readonly stderr: Out;
}

export interface Out {
  write(text: string): unknown;
}
