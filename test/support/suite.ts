/**
 * Tests as wolffia writes them: uvu, with a time limit, and with skips that are counted and explained.
 *
 * `test.needs(requirement)` runs a test only where its requirement holds. Where it does not, the line `# SKIP name: reason` is
 * printed, which `scripts/test.mjs` counts. In CI `WOLFFIA_NO_SKIP` lists requirements that must hold (`native,wasm`). Where a machine is
 * slow, `WOLFFIA_PATIENCE` multiplies time limits; `WOLFFIA_ONLY` is a regular expression of names, and other tests are left out.
 */
import { suite as uvuSuite } from 'uvu'

/** Something a host may lack: a name, and why it is missing or null. */
export interface Requirement {
  readonly name: string
  readonly missing: () => Promise<string | null>
}

/** Registers a test; its name is a sentence about behaviour. */
export type RegisterTest = (name: string, body: () => unknown | Promise<unknown>, options?: { readonly timeoutMs?: number }) => void

/** A group of tests of one file. */
export interface TestSuite extends RegisterTest {
  /** Registers tests that only make sense where every requirement holds. */
  needs(...requirements: readonly Requirement[]): RegisterTest
  run(): void
}

const DEFAULT_TIMEOUT_MS = 60_000
const PATIENCE = Number(process.env.WOLFFIA_PATIENCE ?? 1)
const ONLY = new RegExp(process.env.WOLFFIA_ONLY ?? '')

/** A suite named after what it tests: `fs/union-fs`. */
export function suite(name: string): TestSuite {
  const tests = uvuSuite(name)
  const register: RegisterTest = (title, body, options = {}) => {
    if (ONLY.test(title)) tests(title, () => withTimeout(title, (options.timeoutMs ?? DEFAULT_TIMEOUT_MS) * PATIENCE, body))
  }
  return Object.assign(register, {
    needs:
      (...requirements: readonly Requirement[]): RegisterTest =>
      (title, body, options) =>
        register(
          title,
          async () => {
            for (const requirement of requirements) {
              const reason = await requirement.missing()
              if (reason === null) continue
              if ((process.env.WOLFFIA_NO_SKIP ?? '').split(',').includes(requirement.name))
                throw new Error(`may not be skipped here, but ${requirement.name} is missing: ${reason}`)
              console.log(`\n# SKIP ${name}: ${title}: ${reason}`)
              return
            }
            await body()
          },
          options,
        ),
    run: () => tests.run(),
  })
}

async function withTimeout(title: string, timeoutMs: number, body: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([
      body(),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`"${title}" did not end within ${timeoutMs} ms`)), timeoutMs)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}
