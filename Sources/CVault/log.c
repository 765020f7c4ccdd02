/*
 * The write-ahead log. SQLite's header (32 bytes: page size, count, salts) stays as it is. A frame, for SQLite a head of
 * 24 bytes and a page, lies here as two seals, for SQLite writes the two on their own: 64 bytes and a page with 40 more.
 * The head is sealed because it holds a sum over the page.
 */
#include "store.h"

#include <string.h>

#define HEADER 32
#define HEAD 24
#define PAGE GODWIT_VAULT_PAGE
#define FRAME (HEAD + PAGE)
#define SEALED_HEAD (HEAD + GODWIT_VAULT_EXTRA)
#define SEALED_PAGE (PAGE + GODWIT_VAULT_EXTRA)
#define SEALED_FRAME (SEALED_HEAD + SEALED_PAGE)

static int read_head(vault_file *own, sqlite3_int64 frame, uint8_t *clear) {
    uint8_t sealed[SEALED_HEAD];
    int code = own->real->pMethods->xRead(own->real, sealed, SEALED_HEAD, HEADER + frame * SEALED_FRAME);
    if (code != SQLITE_OK) return code;
    return godwit_vault_open(own->store->key, GODWIT_VAULT_FRAME_HEAD, (uint64_t)frame, sealed, HEAD, clear) == 0
               ? SQLITE_OK
               : SQLITE_IOERR_DATA;
}

static int read_page(vault_file *own, sqlite3_int64 frame, uint8_t *clear) {
    uint8_t sealed[SEALED_PAGE];
    sqlite3_int64 place = HEADER + frame * SEALED_FRAME + SEALED_HEAD;
    int code = own->real->pMethods->xRead(own->real, sealed, SEALED_PAGE, place);
    if (code != SQLITE_OK) return code;
    return godwit_vault_open(own->store->key, GODWIT_VAULT_FRAME_PAGE, (uint64_t)frame, sealed, PAGE, clear) == 0
               ? SQLITE_OK
               : SQLITE_IOERR_DATA;
}

static int read_log(sqlite3_file *file, void *buffer, int count, sqlite3_int64 offset) {
    vault_file *own = (vault_file *)file;
    uint8_t clear[FRAME];
    if (offset < HEADER) {
        if (offset + count > HEADER) return SQLITE_IOERR_READ;
        return own->real->pMethods->xRead(own->real, buffer, count, offset);
    }
    sqlite3_int64 frame = (offset - HEADER) / FRAME;
    int start = (int)((offset - HEADER) % FRAME);
    /* SQLite never reads over the end of a frame. */
    if (count < 0 || start + count > FRAME) return SQLITE_IOERR_READ;
    int code = SQLITE_OK;
    if (start < HEAD) code = read_head(own, frame, clear);
    if (code == SQLITE_OK && start + count > HEAD) code = read_page(own, frame, clear + HEAD);
    if (code == SQLITE_OK) {
        memcpy(buffer, clear + start, (size_t)count);
        return SQLITE_OK;
    }
    memset(buffer, 0, (size_t)count);
    /* A power cut leaves frames half written. Whoever reads the log anew finds its end there, and zeros say so. */
    if (code == SQLITE_IOERR_DATA && vault_index_is_recovering(own->store)) return SQLITE_OK;
    return code;
}

static int write_log(sqlite3_file *file, const void *buffer, int count, sqlite3_int64 offset) {
    vault_file *own = (vault_file *)file;
    const sqlite3_io_methods *real = own->real->pMethods;
    uint8_t sealed[SEALED_PAGE];
    if (offset == 0 && count == HEADER) return real->xWrite(own->real, buffer, count, 0);
    if (offset < HEADER) return SQLITE_IOERR_WRITE;
    sqlite3_int64 frame = (offset - HEADER) / FRAME;
    sqlite3_int64 place = HEADER + frame * SEALED_FRAME;
    int start = (int)((offset - HEADER) % FRAME);
    if (start == 0 && count == HEAD) {
        godwit_vault_seal(own->store->key, GODWIT_VAULT_FRAME_HEAD, (uint64_t)frame, buffer, HEAD, sealed);
        return real->xWrite(own->real, sealed, SEALED_HEAD, place);
    }
    if (start == HEAD && count == PAGE) {
        godwit_vault_seal(own->store->key, GODWIT_VAULT_FRAME_PAGE, (uint64_t)frame, buffer, PAGE, sealed);
        return real->xWrite(own->real, sealed, SEALED_PAGE, place + SEALED_HEAD);
    }
    return SQLITE_IOERR_WRITE;
}

/* A frame that is there in part is none. */
static int truncate_log(sqlite3_file *file, sqlite3_int64 size) {
    sqlite3_file *real = ((vault_file *)file)->real;
    if (size > HEADER) size = HEADER + (size - HEADER) / FRAME * SEALED_FRAME;
    return real->pMethods->xTruncate(real, size);
}

static int size_of_log(sqlite3_file *file, sqlite3_int64 *size) {
    sqlite3_file *real = ((vault_file *)file)->real;
    int code = real->pMethods->xFileSize(real, size);
    if (code == SQLITE_OK && *size > HEADER) *size = HEADER + (*size - HEADER) / SEALED_FRAME * FRAME;
    return code;
}

static int control_log(sqlite3_file *file, int what, void *argument) {
    sqlite3_file *real = ((vault_file *)file)->real;
    /* Sizes that SQLite names are those of its own frames. */
    if (what == SQLITE_FCNTL_SIZE_HINT || what == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_NOTFOUND;
    return real->pMethods->xFileControl(real, what, argument);
}

const sqlite3_io_methods vault_log_methods = {
    .iVersion = 1,
    .xClose = vault_close,
    .xRead = read_log,
    .xWrite = write_log,
    .xTruncate = truncate_log,
    .xSync = vault_sync,
    .xFileSize = size_of_log,
    .xLock = vault_lock,
    .xUnlock = vault_unlock,
    .xCheckReservedLock = vault_check_reserved,
    .xFileControl = control_log,
    .xSectorSize = vault_sector_size,
    .xDeviceCharacteristics = vault_characteristics,
};
