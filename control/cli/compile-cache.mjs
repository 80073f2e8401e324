/**
 * Keeps what V8 compiled, and TypeScript without its types, for the next run: most of what a short command costs.
 *
 * JavaScript, because it must run before the first TypeScript is read. The folder belongs to one user: code that is
 * run from it must not be anybody else's, so no cache is kept below a home of somebody else (sudo may leave HOME as
 * it was) nor in a shared folder for temporary files. `NODE_COMPILE_CACHE` names another one,
 * `NODE_DISABLE_COMPILE_CACHE=1` switches it off; a folder that cannot be written is no error.
 */
import { statSync } from 'node:fs'
import { enableCompileCache } from 'node:module'

const { HOME: home, XDG_CACHE_HOME: caches = `${home}/.cache` } = process.env
if (home?.startsWith('/') && statSync(home, { throwIfNoEntry: false })?.uid === process.getuid?.()) {
  enableCompileCache(`${caches}/holdfast/compiled`)
}
