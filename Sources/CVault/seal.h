/*
 * The bytes of a seal: ciphertext, tag (16), nonce (24).
 *
 * Key: BLAKE2b-256 with the storage key as its key, salt 1 (8 bytes, little-endian, then zeros), person "gwvault1".
 * Associated data: the 16 bytes of GODWIT_VAULT_MAGIC, the role, the number (8 bytes, big-endian). The number counts
 * pages of the database, or frames of the log, from 0.
 */
#ifndef GODWIT_VAULT_SEAL_H
#define GODWIT_VAULT_SEAL_H

#include "vault.h"

/* Another owner of the same key. */
godwit_vault_key *godwit_vault_key_copy(const godwit_vault_key *key);

/* A page of the database as it lies in the file. The first one keeps its first bytes in clear, as a mark. */
void godwit_vault_seal_page(const godwit_vault_key *key, uint64_t number, const uint8_t *clear, uint8_t *sealed);
/* The page as SQLite knows it, its reserved bytes zero. Returns 0, or -1 if it is not what was sealed there. */
int godwit_vault_open_page(const godwit_vault_key *key, uint64_t number, const uint8_t *sealed, uint8_t *clear);
/* Whether a page can be sealed without losing anything that SQLite keeps in it. */
int godwit_vault_fits(uint64_t number, const uint8_t *clear);

#endif
