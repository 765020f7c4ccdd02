#include "CSpoolBaseline.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { IDS_OF_AN_ERA = 16384 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

/* Keeps the first failure. */
static int check(sqlite3 *database, int code, struct baseline_result *result) {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return 1;
    if (!result->error[0])
        snprintf(result->error, sizeof result->error, "%s", database ? sqlite3_errmsg(database) : sqlite3_errstr(code));
    return 0;
}

static int run(sqlite3 *database, sqlite3_stmt *statement, struct baseline_result *result) {
    int worked = check(database, sqlite3_step(statement), result);
    sqlite3_reset(statement);
    return worked;
}

struct writer {
    sqlite3 *database;
    sqlite3_stmt *begin, *commit, *era, *body, *item;
};

static int write_message(struct writer *writer, const struct baseline_message *message, int64_t era,
                         struct baseline_result *result) {
    sqlite3_bind_blob(writer->body, 1, message->digest, 32, SQLITE_STATIC);
    sqlite3_bind_int64(writer->body, 2, (int64_t)message->size);
    sqlite3_bind_blob(writer->body, 3, message->body, (int)message->size, SQLITE_STATIC);
    if (!run(writer->database, writer->body, result)) return 0;
    const int64_t lifetime = INT64_C(30) * 86400000;
    const int64_t values[] = {1, sqlite3_last_insert_rowid(writer->database), (int64_t)message->size,
                              message->destination, 3, INT64_C(1700000000000), lifetime, 0, lifetime};
    sqlite3_bind_blob(writer->item, 1, message->id, 32, SQLITE_STATIC);
    for (int place = 0; place < 9; place++) sqlite3_bind_int64(writer->item, place + 2, values[place]);
    if (message->owner)
        sqlite3_bind_int64(writer->item, 11, message->owner);
    else
        sqlite3_bind_null(writer->item, 11);
    sqlite3_bind_int64(writer->item, 12, era);
    return run(writer->database, writer->item, result);
}

static void write_groups(struct writer *writer, const struct baseline_message *messages, size_t count, size_t group,
                         struct baseline_result *result) {
    int64_t era = -1;
    for (size_t next = 0; next < count; result->groups++) {
        if (!run(writer->database, writer->begin, result)) return;
        for (size_t end = next + group < count ? next + group : count; next < end; next++) {
            if (next % IDS_OF_AN_ERA == 0) {
                era = (int64_t)(next / IDS_OF_AN_ERA);
                sqlite3_bind_int64(writer->era, 1, era);
                if (!run(writer->database, writer->era, result)) return;
            }
            if (!write_message(writer, &messages[next], era, result)) return;
        }
        if (!run(writer->database, writer->commit, result)) return;
    }
}

static int prepare(sqlite3 *database, const char *sql, sqlite3_stmt **statement, struct baseline_result *result) {
    return check(database, sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL), result);
}

void baseline_write(const char *path, const struct baseline_message *messages, size_t count, size_t group,
                    struct baseline_result *result) {
    struct writer writer = {0};
    memset(result, 0, sizeof *result);
    int code = sqlite3_open_v2(path, &writer.database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3 *database = writer.database;
    if (check(database, code, result) &&
        check(database,
              sqlite3_exec(database,
                           "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                           "PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -8192;"
                           "PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000",
                           NULL, NULL, NULL),
              result) &&
        prepare(database, "BEGIN IMMEDIATE", &writer.begin, result) &&
        prepare(database, "COMMIT", &writer.commit, result) &&
        prepare(database, "INSERT INTO spool_era (era, slot) VALUES (?, 0)", &writer.era, result) &&
        prepare(database, "INSERT INTO spool_body (digest, size, content) VALUES (?, ?, ?)", &writer.body, result) &&
        prepare(database,
                "INSERT INTO spool_item (id, kind, body, size, destination, priority, created, lifetime, born, ends,"
                " owner, era) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                &writer.item, result)) {
        int64_t before = baseline_syncs();
        double waited = baseline_sync_seconds();
        double start = now();
        write_groups(&writer, messages, count, group ? group : 1, result);
        result->seconds = now() - start;
        result->syncs = baseline_syncs() - before;
        result->sync_seconds = baseline_sync_seconds() - waited;
    }
    sqlite3_finalize(writer.begin);
    sqlite3_finalize(writer.commit);
    sqlite3_finalize(writer.era);
    sqlite3_finalize(writer.body);
    sqlite3_finalize(writer.item);
    sqlite3_close(database);
}

/* A file system of SQLite's that is the usual one, but counts. */

static atomic_llong syncs, sync_nanoseconds;
static sqlite3_vfs *usual;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Databases and logs differ in how they lock, and so in their methods. */
enum { KINDS = 8 };
static struct kind {
    const sqlite3_io_methods *usual;
    sqlite3_io_methods counting;
} kinds[KINDS];

/* That of every kind. The file's own methods do not say it: a store puts others in their place. */
static int (*usual_sync)(sqlite3_file *, int);

static int sync_file(sqlite3_file *file, int flags) {
    double start = now();
    int code = usual_sync(file, flags);
    sync_nanoseconds += (long long)((now() - start) * 1e9);
    syncs++;
    return code;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    (void)vfs;
    int code = usual->xOpen(usual, name, file, flags, out);
    if (code != SQLITE_OK || !file->pMethods) return code;
    pthread_mutex_lock(&lock);
    if (!usual_sync) usual_sync = file->pMethods->xSync;
    for (int place = 0; place < KINDS && file->pMethods->xSync == usual_sync; place++) {
        struct kind *kind = &kinds[place];
        if (!kind->usual) {
            kind->usual = file->pMethods;
            kind->counting = *file->pMethods;
            kind->counting.xSync = sync_file;
        }
        if (kind->usual != file->pMethods) continue;
        file->pMethods = &kind->counting;
        break;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

int baseline_count_syncs(void) {
    static sqlite3_vfs vfs;
    if (usual) return 0;
    usual = sqlite3_vfs_find(NULL);
    if (!usual) return 1;
    vfs = *usual;
    vfs.zName = "counting";
    vfs.pNext = NULL;
    vfs.xOpen = open_file;
    return sqlite3_vfs_register(&vfs, 1);
}

int64_t baseline_syncs(void) { return syncs; }

double baseline_sync_seconds(void) { return sync_nanoseconds * 1e-9; }
