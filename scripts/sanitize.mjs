// `npm run test:sanitized`: the launcher built with the undefined-behaviour sanitizer, under its own tests.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { compileHostedLauncher } from './launcher.mjs'
import { setUp } from './setup.mjs'
import { root } from './tree.mjs'

await setUp({ tests: true })
const folder = join(root, 'dist/sanitized')
mkdirSync(folder, { recursive: true })
const launcher = join(folder, 'launcher')
compileHostedLauncher(launcher, ['-fsanitize=undefined', '-fno-sanitize-recover=all', '-static-libubsan', '-g', '-O1', '-U_FORTIFY_SOURCE'])
const { status } = spawnSync(process.execPath, ['scripts/test.mjs', 'test/launcher/', 'test/native/'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, WOLFFIA_LAUNCHER: launcher, WOLFFIA_NO_SKIP: 'native' },
})
process.exitCode = status ?? 1
