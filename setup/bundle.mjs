// `node setup/bundle.mjs FOLDER`: each command line in as few files as it can be, for most of what one takes is its start.
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const [folder = ''] = process.argv.slice(2);

for (const name of ['ipvsadm', 'fairlead']) {
  const bundle = await rolldown({
    input: join(folder, 'cli', name, 'bin.js'),
    platform: 'node',
    // It brings a native library along.
    external: ['koffi'],
  });
  // CommonJS: Node's loader for modules alone takes 15 ms. The folder is as deep as those of the modules, whose relative
  // URLs stay right.
  await bundle.write({
    dir: join(folder, name),
    format: 'cjs',
    entryFileNames: 'bin.cjs',
    chunkFileNames: '[name].cjs',
  });
  await bundle.close();
}
