/*
 * SQLite databases under a key: a layer below SQLite's pages, registered as its default way to the system (VFS).
 *
 * Of databases that were not named with godwit_vault_add, pages are written without what SQLite leaves in their unused
 * middle (clean.h); all else is handed on untouched. Of those that were, every page of the database and every part of
 * the write-ahead log is sealed with XChaCha20-Poly1305 under a nonce drawn for each write (seal.h has the bytes). The index of the log is kept in memory, so one process may hold such a database at a time,
 * and a rollback journal is refused: the database has to be in WAL mode.
 */
#ifndef GODWIT_VAULT_H
#define GODWIT_VAULT_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a storage key. */
#define GODWIT_VAULT_KEY 32
/* The only page size that is taken. */
#define GODWIT_VAULT_PAGE 4096
/* Bytes that sealing adds: tag and nonce. In a page of the database they are SQLite's reserved bytes. */
#define GODWIT_VAULT_EXTRA 40
/* First bytes of a sealed database, in the place of SQLite's own. */
#define GODWIT_VAULT_MAGIC "Godwit sealed 1"
#define GODWIT_VAULT_MAGIC_COUNT 16

/* What is sealed, so that one thing cannot be put in the place of another. */
#define GODWIT_VAULT_DATABASE 1
#define GODWIT_VAULT_FRAME_HEAD 2
#define GODWIT_VAULT_FRAME_PAGE 3
#define GODWIT_VAULT_BODY 4

/*
 * Before SQLite is used first in a process: it counts no memory, for which it would take a lock at each allocation, and
 * its way to the system is the one above.
 * Returns SQLITE_OK, or SQLITE_MISUSE where it is too late; then it goes on counting.
 */
int godwit_sqlite_configure(void);

/* A storage key in memory that is locked, and wiped when it is freed. */
typedef struct godwit_vault_key godwit_vault_key;

/* A key of GODWIT_VAULT_KEY bytes, which are copied; NULL if memory is missing. */
godwit_vault_key *godwit_vault_key_make(const uint8_t *bytes);
void godwit_vault_key_free(godwit_vault_key *key);

/* Writes count + GODWIT_VAULT_EXTRA bytes to sealed. */
void godwit_vault_seal(const godwit_vault_key *key, uint8_t role, uint64_t number, const uint8_t *clear, size_t count,
                       uint8_t *sealed);
/* Opens count + GODWIT_VAULT_EXTRA bytes into count bytes. Returns 0, or -1 if the tag does not fit. */
int godwit_vault_open(const godwit_vault_key *key, uint8_t role, uint64_t number, const uint8_t *sealed, size_t count,
                      uint8_t *clear);
/* Whether the first page of a sealed database is one under this key. */
int godwit_vault_fits_key(const godwit_vault_key *key, const uint8_t page[GODWIT_VAULT_PAGE]);
/* A name of 32 bytes for what has this 32-byte digest: who has no key cannot tell what it names. */
void godwit_vault_name(const godwit_vault_key *key, const uint8_t digest[32], uint8_t name[32]);

/*
 * Puts the database at this path under a key from its next opening on. The key is copied.
 * is_new: it is being made, and thrown away if that fails; then SQLite may ask for a rollback journal, which is kept
 * nowhere.
 * Returns SQLITE_OK; SQLITE_BUSY if the path is under a key already; another code of SQLite if it cannot be done.
 */
int godwit_vault_add(const char *path, const godwit_vault_key *key, int is_new);
/* Takes the path off. Connections that are open keep the key until they are closed; no new one is opened meanwhile. */
void godwit_vault_drop(const char *path);

/* Whether the main database of a connection (sqlite3 *) is under a key. */
int godwit_vault_holds(void *connection);
/* What a connection writes with VACUUM INTO has room for the seals of pages. Returns a code of SQLite. */
int godwit_vault_make_room(void *connection);

#endif
