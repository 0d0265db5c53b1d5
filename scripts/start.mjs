// `npm start`: sets up, then shows the main job; `npm start -- run …` is the command line.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setUp } from './setup.mjs'

await setUp()
const words = process.argv.slice(2)
const commandLine = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url))
// `--`, because Node 20 would read an --env-file of the words itself (nodejs/node#54232).
const result = spawnSync(process.execPath, ['--', commandLine, ...(words.length > 0 ? words : ['demo'])], { stdio: 'inherit' })
process.exitCode = result.status ?? 128
