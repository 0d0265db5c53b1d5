// The launcher, from its C sources: part of the build, and run by npm on the machine where the package is installed.
import { spawnSync } from 'node:child_process'
import { mkdirSync, realpathSync, renameSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dist, filesBelow, root, whenChanged } from './tree.mjs'

const compiler = process.env.CC ?? 'cc'

/** Flags every build of the launcher has; the sanitizer build in CI adds its own. */
export const launcherFlags = [
  '-std=c11',
  '-D_GNU_SOURCE',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fstack-protector-strong',
  '-D_FORTIFY_SOURCE=2',
  '-ffunction-sections',
  '-fdata-sections',
  '-Wl,--gc-sections',
]

const sources = filesBelow('src/launcher', (name) => name.endsWith('.c'))
const hosted = sources.filter((path) => !basename(path).startsWith('libc_'))

/** With nothing of a C library (src/launcher/README.md says what that gains), on the processors and with the headers that libc_start.c knows. */
const FREESTANDING = ['-static', '-nostdlib', ...(process.arch === 'x64' ? ['-mstack-protector-guard=global'] : [])]

const compile = (output, files, flags) =>
  spawnSync(compiler, [...launcherFlags, ...flags, '-o', `${output}.new`, ...files], { cwd: root, encoding: 'utf8' })

/** Compiles the launcher to `output`: freestanding where that is known to work, else with the C library, static when the toolchain can. Throws what the compiler said. */
export function compileLauncher(output) {
  const attempts = [
    [sources, FREESTANDING],
    [hosted, ['-static']],
    [hosted, []],
  ]
  let result
  for (const [files, flags] of attempts) {
    result = compile(output, files, flags)
    if (result.status === 0 && spawnSync(`${output}.new`, ['--operations']).status === 0) break
    // libc_start.c itself says where it is not made for.
    if (flags === FREESTANDING && !/linked as usual/.test(result.stderr ?? ''))
      console.error(`wolffia: the launcher is linked with the C library, which makes starts slower: ${(result.stderr ?? '').trim()}`)
  }
  finish(output, result)
}

/** The same with the C library and `flags` of the caller's, which sanitizers need. */
export function compileHostedLauncher(output, flags) {
  finish(output, compile(output, hosted, flags))
}

function finish(output, result) {
  if (result.error) throw result.error
  if (result.status !== 0) throw new Error(result.stderr)
  renameSync(`${output}.new`, output)
}

/** Why this machine cannot compile it, a sentence that says what to install; null when it can. */
function toolchainMissing() {
  const probe = spawnSync(compiler, ['-fsyntax-only', '-x', 'c', '-'], { input: '#include <stdio.h>\n#include <linux/filter.h>\n' })
  if (probe.error) return `there is no C compiler (${compiler}): install gcc or clang, then run node ${join(root, 'scripts/launcher.mjs')}`
  if (probe.status === 0) return null
  return `${compiler} has no C headers: install libc6-dev (Debian) or linux-headers and musl-dev (Alpine), then run node ${join(root, 'scripts/launcher.mjs')}`
}

/**
 * Builds dist/launcher where its sources have changed. A machine that cannot compile it gets a sentence instead of a native wall;
 * the Wasm wall does without. Throws when the sources are at fault.
 */
export async function buildLauncher() {
  const files = filesBelow('src/launcher', (name) => /\.[ch]$/.test(name))
  await whenChanged('launcher', [...files, 'scripts/launcher.mjs'], ['dist/launcher'], () => {
    const missing = toolchainMissing()
    if (missing !== null) return console.error(`wolffia: native containers are left out: ${missing}`)
    mkdirSync(dist, { recursive: true })
    compileLauncher(join(dist, 'launcher'))
  })
}

// npm runs this where it installs the package, and nothing that goes wrong here may break the installation.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await buildLauncher().catch((error) => console.error(`wolffia: native containers are left out: ${error.message.trim()}`))
