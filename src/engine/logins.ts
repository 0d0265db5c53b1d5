/** Passwords of registries, for the faces. */
export type { SavedCredential } from '../registry/credential-file.js'
export { type LoginRequest, login, logout, registryName } from '../registry/login.js'
