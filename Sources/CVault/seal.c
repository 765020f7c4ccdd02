#include "seal.h"

#include <sodium.h>
#include <string.h>

#define TAG 16
#define NONCE 24
#define MARK GODWIT_VAULT_MAGIC_COUNT
#define BODY (GODWIT_VAULT_PAGE - GODWIT_VAULT_EXTRA)

_Static_assert(TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(TAG + NONCE == GODWIT_VAULT_EXTRA, "what a seal adds");
_Static_assert(sizeof(GODWIT_VAULT_MAGIC) == MARK, "the mark with its closing zero");

/* Each use has a key of its own. */
struct godwit_vault_key {
    uint8_t sealing[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    uint8_t naming[crypto_generichash_KEYBYTES];
};

static const char sqlite_mark[MARK] = "SQLite format 3";

godwit_vault_key *godwit_vault_key_make(const uint8_t *bytes) {
    if (sodium_init() < 0) return NULL;
    godwit_vault_key *key = sodium_malloc(sizeof *key);
    if (key == NULL) return NULL;
    crypto_kdf_derive_from_key(key->sealing, sizeof key->sealing, 1, "gwvault1", bytes);
    crypto_kdf_derive_from_key(key->naming, sizeof key->naming, 2, "gwvault1", bytes);
    sodium_mprotect_readonly(key);
    return key;
}

godwit_vault_key *godwit_vault_key_copy(const godwit_vault_key *key) {
    godwit_vault_key *copy = sodium_malloc(sizeof *copy);
    if (copy == NULL) return NULL;
    memcpy(copy, key, sizeof *copy);
    sodium_mprotect_readonly(copy);
    return copy;
}

void godwit_vault_key_free(godwit_vault_key *key) { sodium_free(key); }

static void associate(uint8_t data[MARK + 9], uint8_t role, uint64_t number) {
    memcpy(data, GODWIT_VAULT_MAGIC, MARK);
    data[MARK] = role;
    for (int index = 0; index < 8; index++) data[MARK + 1 + index] = (uint8_t)(number >> (56 - 8 * index));
}

void godwit_vault_seal(const godwit_vault_key *key, uint8_t role, uint64_t number, const uint8_t *clear, size_t count,
                       uint8_t *sealed) {
    uint8_t data[MARK + 9];
    uint8_t *nonce = sealed + count + TAG;
    associate(data, role, number);
    /* A place is written again and again: 24 random bytes do not repeat in the life of any disk. */
    randombytes_buf(nonce, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(sealed, sealed + count, NULL, clear, count, data, sizeof data,
                                                        NULL, nonce, key->sealing);
}

int godwit_vault_open(const godwit_vault_key *key, uint8_t role, uint64_t number, const uint8_t *sealed, size_t count,
                      uint8_t *clear) {
    uint8_t data[MARK + 9];
    associate(data, role, number);
    return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(clear, NULL, sealed, count, sealed + count, data,
                                                               sizeof data, sealed + count + TAG, key->sealing);
}

void godwit_vault_name(const godwit_vault_key *key, const uint8_t digest[32], uint8_t name[32]) {
    crypto_generichash(name, 32, digest, 32, key->naming, sizeof key->naming);
}

/* MARK: Pages */

int godwit_vault_fits(uint64_t number, const uint8_t *clear) {
    /* Byte 20 of a database says how many bytes of each page SQLite leaves alone. */
    return number != 0 || (memcmp(clear, sqlite_mark, MARK) == 0 && clear[20] == GODWIT_VAULT_EXTRA);
}

void godwit_vault_seal_page(const godwit_vault_key *key, uint64_t number, const uint8_t *clear, uint8_t *sealed) {
    size_t start = number == 0 ? MARK : 0;
    if (start != 0) memcpy(sealed, GODWIT_VAULT_MAGIC, MARK);
    godwit_vault_seal(key, GODWIT_VAULT_DATABASE, number, clear + start, BODY - start, sealed + start);
}

int godwit_vault_open_page(const godwit_vault_key *key, uint64_t number, const uint8_t *sealed, uint8_t *clear) {
    size_t start = number == 0 ? MARK : 0;
    if (start != 0) {
        if (memcmp(sealed, GODWIT_VAULT_MAGIC, MARK) != 0) return -1;
        memcpy(clear, sqlite_mark, MARK);
    }
    memset(clear + BODY, 0, GODWIT_VAULT_EXTRA);
    return godwit_vault_open(key, GODWIT_VAULT_DATABASE, number, sealed + start, BODY - start, clear + start);
}

int godwit_vault_fits_key(const godwit_vault_key *key, const uint8_t page[GODWIT_VAULT_PAGE]) {
    uint8_t clear[GODWIT_VAULT_PAGE];
    return godwit_vault_open_page(key, 0, page, clear) == 0;
}
