// `npm run check`: everything a contributor must have green. Stops at the first thing that is not. `--no-tests` leaves the
// tests out, for whoever has just run them.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setUp } from './setup.mjs'
import { filesBelow, root } from './tree.mjs'

await setUp()
const cFiles = filesBelow('src/launcher', (name) => /\.[ch]$/.test(name))
const hasClangFormat = !spawnSync('clang-format', ['--version']).error
const steps = [
  ['lint and format', 'npx', ['biome', 'check', '--error-on-warnings', '.']],
  ...(hasClangFormat ? [['C format', 'clang-format', ['--dry-run', '-Werror', ...cFiles]]] : []),
  ['types', 'npx', ['tsc', '--noEmit']],
  ...(existsSync(`${root}/typedoc.json`) ? [['docs', 'npx', ['typedoc', '--emit', 'none']]] : []),
  ...(process.argv.includes('--no-tests') ? [] : [['tests', process.execPath, ['scripts/test.mjs']]]),
]
if (!hasClangFormat) console.log('check: clang-format is not installed, C formatting is not checked')
for (const [name, command, args] of steps) {
  console.log(`check: ${name}`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    console.error(`check: ${name} failed`)
    process.exit(1)
  }
}
