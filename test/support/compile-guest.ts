import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Compiles a guest of `test/fixtures/` to a static program, so that it runs in a root with nothing else in it. */
export async function compileGuest(name: string, output: string, flags: readonly string[] = []): Promise<void> {
  await promisify(execFile)('cc', ['-static', '-O1', '-Wall', '-Wextra', '-Werror', ...flags, '-o', output, `test/fixtures/${name}.c`])
}
