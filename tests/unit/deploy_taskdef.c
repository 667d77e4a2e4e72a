/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/taskdef.h"

#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

/* Quotes in these texts are single, for the eye. */
static void with_quotes(const char *text, struct buf *out)
{
    buf_adds(out, text);
    for (size_t i = 0; i < out->size; i++)
        out->ptr[i] = out->ptr[i] == '\'' ? '"' : out->ptr[i];
}

static json_t *doc_of(const char *text)
{
    SCOPED(buf_release) struct buf json = {0};
    struct err err = {0};
    json_t *doc = NULL;

    with_quotes(text, &json);
    OKF(taskdef_parse(buf_str(&json), "f", &doc, &err) == 0, "%s: %s", text, err.text);
    return doc;
}

static bool same(const json_t *doc, const char *want)
{
    SCOPED(buf_release) struct buf json = {0};
    SCOPED(buf_release) struct buf got = {0};
    struct err err = {0};
    json_auto_t *expected = NULL;

    with_quotes(want, &json);
    expected = json_parse(buf_str(&json), &err);
    json_print(doc, &got);
    return OKF(expected && json_equal(expected, doc), "got  %s\nwant %s", buf_cstr(&got),
               buf_cstr(&json));
}

#define C "'containerDefinitions':[{'name':'web','image':'i'}]"

static const struct {
    const char *text, *want, *err;
} parse_rows[] = {
    {"{'family':'web'," C "}", "{'family':'web'," C "}", NULL},
    /* what describe-task-definition says, as it says it */
    {"{'taskDefinition':{'taskDefinitionArn':'a','family':'web','revision':3,'status':'ACTIVE','"
     "requiresAttributes':"
     "[{'name':'x'}],'compatibilities':['EC2'],'registeredAt':1.5,'registeredBy':'a','"
     "deregisteredAt':2,"
     "'deleteRequestedAt':3,'volumes':[],'placementConstraints':[]," C
     "},'tags':[{'key':'k','value':'v'}]}",
     "{'family':'web','volumes':[],'placementConstraints':[],'tags':[{'key':'k','value':'v'}]," C
     "}",
     NULL},
    {"{'taskDefinition':{'family':'web'," C "},'tags':[]}", "{'family':'web'," C "}", NULL},
    /* nulls and empty strings go, with what they alone filled; empty lists and objects of the
       author's stay */
    {"{'family':'web','taskRoleArn':'','executionRoleArn':null,'runtimePlatform':{'cpuArchitecture'"
     ":''},'volumes':[{'name':"
     "''}],'tags':[],'proxyConfiguration':{}," C "}",
     "{'family':'web','proxyConfiguration':{}," C "}", NULL},
    /* … but not where an empty value is one */
    {"{'family':'web','containerDefinitions':[{'name':'web','image':'i','environment':[{'name':'A',"
     "'value':''},{'name':'B',"
     "'value':null}],'dockerLabels':{'l':''},'command':['sh','','-c',null],'mountPoints':[]}]}",
     "{'family':'web','containerDefinitions':[{'name':'web','image':'i','environment':[{'name':'A',"
     "'value':''},{'name':'B',"
     "'value':''}],'dockerLabels':{'l':''},'command':['sh','','-c'],'mountPoints':[]}]}",
     NULL},
    {"{'family':'web','proxyConfiguration':{'type':'APPMESH','containerName':'e','properties':[{'"
     "name':'IgnoredUID',"
     "'value':''}]}," C "}",
     "{'family':'web','proxyConfiguration':{'type':'APPMESH','containerName':'e','properties':[{'"
     "name':'IgnoredUID',"
     "'value':''}]}," C "}",
     NULL},
    /* members nobody has heard of stay as they are */
    {"{'family':'web','pidMode':'task','ipcMode':'none','enableFaultInjection':true,'future':{'a':["
     "1,2.5,{'b':false}]}," C "}",
     "{'family':'web','pidMode':'task','ipcMode':'none','enableFaultInjection':true,'future':{'a':["
     "1,2.5,{'b':false}]}," C "}",
     NULL},
    {"[]", NULL, "f: not a JSON object"},
    {"{'family':'','containerDefinitions':[]}", NULL, "f: \"family\" is missing"},
    {"{'family':'web'}", NULL, "f: \"containerDefinitions\" is missing or empty"},
    {"{'family':'web','containerDefinitions':[]}", NULL,
     "f: \"containerDefinitions\" is missing or empty"},
    {"{'family':'web','containerDefinitions':['x']}", NULL,
     "f: containerDefinitions[0] is no object"},
    {"{'family':'web','containerDefinitions':[{'image':'x'}]}", NULL,
     "f: containerDefinitions[0] has no \"name\""},
    {"{'family':'web','containerDefinitions':[{'name':'c','image':5}]}", NULL,
     "f: container \"c\": \"image\" is no string"},
};

static void documents(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(parse_rows); i++) {
        SCOPED(buf_release) struct buf json = {0};
        json_auto_t *doc = NULL;
        struct err err = {0};
        int rc;

        with_quotes(parse_rows[i].text, &json);
        rc = taskdef_parse(buf_str(&json), "f", &doc, &err);
        if (!OKF(rc == (parse_rows[i].err ? -1 : 0), "row %zu: %s", i, err.text))
            continue;
        if (rc < 0)
            EQ_STR(err.text, parse_rows[i].err);
        else
            same(doc, parse_rows[i].want);
    }
}

static const struct {
    const char *text, *name, *want, *err;
    int count;
} image_rows[] = {
    {"{'family':'w','containerDefinitions':[{'name':'a','image':'x'},{'name':'b','image':'y'}]}",
     "b",
     "{'family':'w','containerDefinitions':[{'name':'a','image':'x'},{'name':'b','image':'NEW'}]}",
     NULL, 1},
    {"{'family':'w','containerDefinitions':[{'name':'a'}]}", "a",
     "{'family':'w','containerDefinitions':[{'name':'a','image':'NEW'}]}", NULL, 1},
    {"{'family':'w','containerDefinitions':[{'name':'a','image':'x'}]}", NULL,
     "{'family':'w','containerDefinitions':[{'name':'a','image':'NEW'}]}", NULL, 1},
    {"{'family':'w-<IMAGE1_NAME>','containerDefinitions':[{'name':'a','image':'<IMAGE1_NAME>','"
     "command':['<IMAGE1_NAME> "
     "<IMAGE1_NAME>']},{'name':'b','image':'y'}]}",
     "IMAGE1_NAME",
     "{'family':'w-NEW','containerDefinitions':[{'name':'a','image':'NEW','command':['NEW "
     "NEW']},{'name':'b','image':'y'}]}",
     NULL, 3},
    {"{'family':'w','containerDefinitions':[{'name':'a','image':'<IMAGE1_NAME>'},{'name':'b','"
     "image':'<IMAGE1_NAME>'}]}",
     NULL,
     "{'family':'w','containerDefinitions':[{'name':'a','image':'NEW'},{'name':'b','image':'NEW'}]"
     "}",
     NULL, 2},
    {"{'family':'w','containerDefinitions':[{'name':'a','image':'<web>','environment':[{'name':'V',"
     "'value':'v=<web>'}]}]}",
     "a",
     "{'family':'w','containerDefinitions':[{'name':'a','image':'NEW','environment':[{'name':'V','"
     "value':'v=NEW'}]}]}",
     NULL, 1},
    {"{'family':'w','containerDefinitions':[{'name':'a','image':'x'},{'name':'b','image':'y'}]}",
     NULL, NULL, "which container gets the image? write NAME=IMAGE; the task definition has: a, b",
     -1},
    {"{'family':'w','containerDefinitions':[{'name':'a','image':'x'}]}", "b", NULL,
     "no container \"b\" and no placeholder <b> in the task definition; it has: a", -1},
};

static void images(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(image_rows); i++) {
        json_auto_t *doc = doc_of(image_rows[i].text);
        struct err err = {0};
        int rc = taskdef_set_image(doc, image_rows[i].name, "NEW", &err);

        EQ_INT(rc, image_rows[i].count);
        if (rc < 0)
            EQ_STR(err.text, image_rows[i].err);
        else
            same(doc, image_rows[i].want);
    }
}

static void checks(void)
{
    static const struct {
        const char *text, *err; /* NULL: accepted */
    } rows[] = {
        {"{'family':'w','containerDefinitions':[{'name':'a','image':'x','command':['<b>','<IMAGES>'"
         ",'<IMAGE_NAME']}]}",
         NULL},
        {"{'family':'w','containerDefinitions':[{'name':'a'}]}",
         "container \"a\" has no image; give --image a=…"},
        {"{'family':'w','containerDefinitions':[{'name':'a','image':'<web>'}]}",
         "container \"a\": image is still \"<web>\"; give --image a=…"},
        {"{'family':'w','containerDefinitions':[{'name':'a','image':'x','command':['v "
         "<IMAGE12_NAME>']}]}",
         "the placeholder <IMAGE12_NAME> is not filled; give --image IMAGE12_NAME=…"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_auto_t *doc = doc_of(rows[i].text);
        struct err err = {0};

        EQ_INT(taskdef_check(doc, &err), rows[i].err ? -1 : 0);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
    }
}

static void platforms(void)
{
    static const struct {
        const char *text, *want, *err;
        bool certain;
    } rows[] = {
        {"{'family':'w'," C "}", "linux/amd64", NULL, false},
        {"{'family':'w','requiresCompatibilities':['EC2','FARGATE']," C "}", "linux/amd64", NULL,
         true},
        {"{'family':'w','runtimePlatform':{'cpuArchitecture':'ARM64'}," C "}", "linux/arm64", NULL,
         true},
        {"{'family':'w','runtimePlatform':{'cpuArchitecture':'X86_64','operatingSystemFamily':'"
         "LINUX'}," C "}",
         "linux/amd64", NULL, true},
        {"{'family':'w','runtimePlatform':{'operatingSystemFamily':'WINDOWS_SERVER_2022_CORE'}," C
         "}",
         "windows/amd64", NULL, false},
        {"{'family':'w','runtimePlatform':{'cpuArchitecture':'RISCV'}," C "}", NULL,
         "runtimePlatform: unknown cpuArchitecture \"RISCV\" (X86_64 or ARM64)", false},
        {"{'family':'w','runtimePlatform':{'operatingSystemFamily':'BEOS'}," C "}", NULL,
         "runtimePlatform: unknown operatingSystemFamily \"BEOS\"", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_auto_t *doc = doc_of(rows[i].text);
        struct platform platform = {0};
        char text[PLATFORM_TEXT_SIZE];
        struct err err = {0};
        bool certain = false;
        int rc = taskdef_platform(doc, &platform, &certain, &err);

        EQ_INT(rc, rows[i].err ? -1 : 0);
        EQ_STR(rc < 0 ? err.text : platform_format(&platform, text),
               rows[i].err ? rows[i].err : rows[i].want);
        if (rc == 0)
            EQ_INT(certain, rows[i].certain);
    }
}

static void fits(void)
{
    static const struct {
        const char *want, *have, *err;
    } rows[] = {
        {"linux/amd64", "linux/amd64", NULL},
        {"linux/arm64", "linux/arm64", NULL},
        {"linux/amd64", "linux/arm64",
         "image i is for linux/arm64, the task definition runs on linux/amd64 (runtimePlatform "
         "X86_64); rebuild with --platform "
         "linux/amd64, or set \"runtimePlatform\": {\"cpuArchitecture\": \"ARM64\", "
         "\"operatingSystemFamily\": \"LINUX\"}"},
        {"linux/arm64", "linux/amd64",
         "image i is for linux/amd64, the task definition runs on linux/arm64 (runtimePlatform "
         "ARM64); rebuild with --platform "
         "linux/arm64, or set \"runtimePlatform\": {\"cpuArchitecture\": \"X86_64\", "
         "\"operatingSystemFamily\": \"LINUX\"}"},
        {"linux/amd64", "linux/s390x",
         "image i is for linux/s390x, the task definition runs on linux/amd64 (runtimePlatform "
         "X86_64); rebuild with --platform "
         "linux/amd64"},
        {"linux/amd64", "windows/amd64",
         "image i is for windows/amd64, the task definition runs on linux/amd64 (runtimePlatform "
         "X86_64); rebuild with "
         "--platform linux/amd64"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct platform want, have;
        struct err err = {0};

        OK(platform_parse(rows[i].want, &want, &err) == 0 &&
           platform_parse(rows[i].have, &have, &err) == 0);
        EQ_INT(taskdef_fits(&want, &have, "i", &err), rows[i].err ? -1 : 0);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
    }
}

static void containers(void)
{
    json_auto_t *doc = doc_of(
        "{'family':'w','containerDefinitions':[{'name':'a','image':'x'},{'name':'b','image':'y'},"
        "{'name':'c','image':'x'},{'name':'d'}]}");
    AUTO_FREE char *x = taskdef_containers_of(doc, "x"), *none = taskdef_containers_of(doc, "z");

    EQ_STR(x, "a,c");
    EQ_STR(none, "");
}

TAP_MAIN({"documents", documents}, {"images", images}, {"checks", checks}, {"platforms", platforms},
         {"fits", fits}, {"containers of an image", containers})
