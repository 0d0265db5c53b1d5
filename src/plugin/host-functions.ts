import { AsyncLocalStorage } from 'node:async_hooks'
import { EngineError, messageOf } from '../errors.js'
import { decodeNumbers, encodeNumbers } from './call-protocol.js'
import { assertNumbers } from './numbers.js'
import type { HostAnswer, HostCall, HostFunction } from './options.js'
import { HOST_MODULE, type HostFunctionSummary } from './sandbox/plugin-start.js'
import { type ModuleFunctions, type Signature, signatureText, takesBytes } from './signatures.js'

interface NamedFunction {
  readonly name: string
  readonly of: HostFunction
  readonly signature: Signature
}

/** The functions of this process that a plugin's module imports. */
export class HostFunctions {
  /** As the sandbox is told of them: their places are their numbers. */
  readonly summaries: readonly HostFunctionSummary[]
  readonly #functions: readonly NamedFunction[]
  readonly #answering = new AsyncLocalStorage<{ isOpen: boolean }>()

  /** Throws INVALID_ARGUMENT where the module imports one with a type that it cannot have. What the module does not import is left out. */
  constructor(given: Readonly<Record<string, HostFunction>>, { imports }: ModuleFunctions) {
    const functions: NamedFunction[] = []
    for (const [name, of] of Object.entries(given)) {
      const signature = imports.get(`${HOST_MODULE}.${name}`)
      if (signature === undefined) continue
      if (signature === null || !fits(of, signature)) throw unfit(name, signature)
      functions.push({ name, of, signature })
    }
    this.#functions = functions
    this.summaries = functions.map(({ name, of }) => ({ name, takes: isOfNumbers(of) ? 'numbers' : 'bytes' }))
  }

  /** Whether the caller is one of these functions, or was called by one, that is still awaited. */
  get isAnswering(): boolean {
    return this.#answering.getStore()?.isOpen === true
  }

  /** Has the one with this number answer. Rejects with HOST_FUNCTION_FAILED, whose cause is what it threw. */
  async answer(place: number, input: Buffer, { signal, outputBytes }: HostCall & { readonly outputBytes: number }): Promise<Uint8Array> {
    const named = this.#functions[place]
    if (named === undefined)
      throw new EngineError('SANDBOX_FAILED', `the sandbox of the plugin asks for a host function ${place}, which there is not`)
    let answer: Uint8Array
    // What it begins and does not wait for may call the plugin when it has answered.
    const answering = { isOpen: true }
    try {
      answer = await this.#answering.run(answering, () => answerOf(named, input, { signal }))
    } catch (cause) {
      throw new EngineError('HOST_FUNCTION_FAILED', `the host function ${named.name} failed: ${messageOf(cause)}`, {
        cause,
        data: { hostFunction: named.name },
      })
    } finally {
      answering.isOpen = false
    }
    if (answer.length <= outputBytes) return answer
    throw new EngineError(
      'HOST_FUNCTION_FAILED',
      `the host function ${named.name} answers ${answer.length} bytes; limits.outputBytes is ${outputBytes}`,
      {
        data: { hostFunction: named.name, length: answer.length, limit: outputBytes },
      },
    )
  }
}

async function answerOf({ name, of, signature }: NamedFunction, input: Buffer, call: HostCall): Promise<Uint8Array> {
  if (typeof of === 'function') return bytesOf(name, await of(input, call))
  if ('text' in of) return bytesOf(name, await of.text(decodeText(input, `what the plugin passes to ${name}`), call))
  const { parameters, results } = signature
  if (input.length !== 8 * parameters.length) throw new EngineError('SANDBOX_FAILED', `the sandbox passes no numbers to ${name}`)
  const answer = await of.numbers(decodeNumbers(parameters, input), call)
  const numbers = answer === undefined ? [] : [answer]
  assertNumbers(`the answer of ${name}`, results, numbers)
  return encodeNumbers(results, numbers)
}

// biome-ignore lint/suspicious/noConfusingVoidType: what a function without a return statement gives.
function bytesOf(name: string, answer: HostAnswer | void): Uint8Array {
  if (answer === undefined) return new Uint8Array()
  if (typeof answer === 'string') return Buffer.from(answer)
  if (answer instanceof Uint8Array) return answer
  throw new EngineError('INVALID_ARGUMENT', `${name} answers neither bytes nor text`, { hint: 'Return a Uint8Array, a string or nothing.' })
}

/** Text of what must be UTF-8. Throws INVALID_RESULT. */
export function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return STRICT.decode(bytes)
  } catch (cause) {
    throw new EngineError('INVALID_RESULT', `${what} is no valid UTF-8`, { cause, hint: 'Pass a Uint8Array to get bytes.' })
  }
}

// The mark at the front is part of a text.
const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isOfNumbers(of: HostFunction): boolean {
  return typeof of === 'object' && 'numbers' in of
}

function fits(of: HostFunction, signature: Signature): boolean {
  const { parameters, results } = signature
  return isOfNumbers(of) ? results.length <= 1 && ![...parameters, ...results].includes('other') : takesBytes(signature)
}

function unfit(name: string, signature: Signature | null): EngineError {
  const type = signature === null ? 'something that is no function' : signatureText(signature)
  return new EngineError('INVALID_ARGUMENT', `the module imports ${HOST_MODULE}.${name} as ${type}, which the host function is not`, {
    hint: 'A function of bytes or text is imported as (i32, i32) -> i64; { numbers } has any numbers and at most one result.',
    data: { hostFunction: name },
  })
}
