// `npm run bench -- WORDS`: sets up and hands the words to bench/main.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setUp } from './setup.mjs'
import { root } from './tree.mjs'

await setUp({ tests: true })
const { status } = spawnSync(process.execPath, [join(root, 'build/bench/main.js'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
})
process.exitCode = status ?? 1
