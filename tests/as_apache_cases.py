"""The cases of test_as_apache.py: directives of a virtual host, and targets to ask for, with header fields where needed."""

CASES = [
    # Rules outside sections.
    ("RewriteEngine On\nRewriteRule ^/old$ /a.txt", ["/old", "/a.txt", "/old/x", "/old?q=1"]),
    ("RewriteEngine On\nRewriteRule ^/old$ /a.txt [R]", ["/old", "/old?q=1"]),
    ("RewriteEngine On\nRewriteRule ^/old/(.*)$ /new/$1 [R=301,L]", ["/old/x", "/old/a%20b?q=%20x", "/old/%C3%A4"]),
    ("RewriteEngine On\nRewriteRule ^/old/(.*)$ http://other.example/$1 [R=permanent,L]", ["/old/x?q=1", "/old/"]),
    ("RewriteEngine On\nRewriteRule ^/old/(.*)$ http://other.example/$1", ["/old/x"]),
    ("RewriteEngine On\nRewriteRule ^/q/(.*)$ /a.txt?x=$1 [R]", ["/q/1", "/q/1?y=2"]),
    ("RewriteEngine On\nRewriteRule ^/q/(.*)$ /a.txt?x=$1 [R,QSA]", ["/q/1", "/q/1?y=2", "/q/a%20b?y=%20"]),
    ("RewriteEngine On\nRewriteRule ^/q/(.*)$ /a.txt?x=$1 [R,QSA,NE]", ["/q/1?y=2", "/q/a%26b?y=%20"]),
    ("RewriteEngine On\nRewriteRule ^/q/(.*)$ /a.txt?x=$1 [R,QSA,B]", ["/q/a%26b?y=1", "/q/a%20b", "/q/a/b"]),
    ("RewriteEngine On\nRewriteRule ^/q/(.*)$ /a.txt?x=$1 [R,B,BNP]", ["/q/a%20b"]),
    ("RewriteEngine On\nRewriteRule \"^/q/(.*)$\" \"/a.txt?x=$1\" \"[R,BCTLS]\"", ["/q/a%20b", "/q/a%26b"]),
    ("RewriteEngine On\nRewriteRule ^/q$ /a.txt? [R]", ["/q?x=1"]),
    ("RewriteEngine On\nRewriteRule ^/q$ /a.txt [R,QSD]", ["/q?x=1"]),
    ("RewriteEngine On\nRewriteRule ^/q/(.*) /x?a?b=$1 [R,QSL]", ["/q/1"]),
    ("RewriteEngine On\nRewriteRule ^/f - [F]", ["/f", "/fx", "/a.txt"]),
    ("RewriteEngine On\nRewriteRule ^/g - [G]", ["/g"]),
    ("RewriteEngine On\nRewriteRule ^/n - [R=404]\nRewriteRule ^/m - [R=503,L]", ["/n", "/m"]),
    ("RewriteEngine On\nRewriteRule ^/x$ - [E=A:one,E=B:$0]", ["/x", "/a.txt"]),
    ("RewriteEngine On\nRewriteRule ^/(.*)\\.htm$ /$1.txt [E=A:$1,NC]", ["/a.htm", "/a.HTM", "/zz.htm"]),
    ("RewriteEngine On\nRewriteRule .* - [E=A:1]\nRewriteRule .* - [E=!A]\nRewriteRule .* - [E=B]", ["/a.txt"]),
    ("RewriteEngine On\nRewriteCond %{QUERY_STRING} ^x=(\\d+)$\nRewriteRule ^/c$ /r/%1? [R]", ["/c?x=12", "/c?x=a", "/c"]),
    ("RewriteEngine On\nRewriteCond %{HTTP_HOST} ^(alias\\d+)\\. [NC]\nRewriteRule ^(.*)$ http://%1.example$1 [R=301,L]",
     ["/a.txt", ("/a.txt", ["Host: alias20.example"]), ("/b.txt?x", ["Host: ALIAS20.example"])]),
    ("RewriteEngine On\nRewriteCond %{REQUEST_METHOD} =POST [OR]\nRewriteCond %{HTTP:X-A} !^$\nRewriteRule . - [F]",
     ["/a.txt", "POST /a.txt", ("/a.txt", ["X-A: 1"])]),
    ("RewriteEngine On\nRewriteCond %{DOCUMENT_ROOT}/down -f\nRewriteCond %{REQUEST_URI} !^/a\nRewriteRule . - [R=503,L]",
     ["/a.txt", "/b.txt"]),
    ("RewriteEngine On\nRewriteCond %{DOCUMENT_ROOT}%{REQUEST_URI} -f\nRewriteRule .* - [L]\n"
     "RewriteCond %{DOCUMENT_ROOT}%{REQUEST_URI} -d\nRewriteRule .* - [L]\nRewriteRule ^/ /b.txt", ["/a.txt", "/dir/", "/nothing", "/"]),
    ("RewriteEngine On\nRewriteCond %{DOCUMENT_ROOT}%{REQUEST_URI} !-s\nRewriteRule .* - [F]", ["/a.txt", "/empty.txt"]),
    ("RewriteEngine On\nRewriteCond %{DOCUMENT_ROOT}%{REQUEST_URI} -l\nRewriteRule .* - [F]", ["/a.txt", "/link.txt"]),
    ("RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule .* - [E=A:%{REQUEST_FILENAME}]", ["/a.txt"]),
    ("RewriteEngine On\nRewriteCond %{QUERY_STRING} -gt5\nRewriteRule . - [F]", ["/a.txt?6", "/a.txt?5", "/a.txt", "/a.txt?x"]),
    ("RewriteEngine On\nRewriteCond %{QUERY_STRING} >b\nRewriteRule . - [F]", ["/a.txt?c", "/a.txt?a", "/a.txt?aa", "/a.txt?b"]),
    ("RewriteEngine On\nRewriteCond %{QUERY_STRING} <=b\nRewriteRule . - [F]", ["/a.txt?c", "/a.txt?a", "/a.txt?aa", "/a.txt?b"]),
    ("RewriteEngine On\nRewriteCond %{QUERY_STRING} =AbC [NC]\nRewriteRule . - [F]", ["/a.txt?abc", "/a.txt?abd"]),
    ("RewriteEngine On\nRewriteCond %{QUERY_STRING} =\"\"\nRewriteRule . - [F]", ["/a.txt?abc", "/a.txt"]),
    ("RewriteEngine On\nRewriteCond expr \"%{QUERY_STRING} =~ /^x=(.*)/\"\nRewriteRule . - [E=A:%1]", ["/a.txt?x=5", "/a.txt?y"]),
    ("RewriteEngine On\nRewriteCond %{QUERY_STRING} a\nRewriteCond %{QUERY_STRING} b [OR]\nRewriteCond %{QUERY_STRING} c\nRewriteRule . - [F]",
     ["/a.txt?a", "/a.txt?ab", "/a.txt?ac", "/a.txt?bc"]),
    ("RewriteEngine On\nRewriteRule ^/one$ /two [C]\nRewriteRule ^/two$ /a.txt [E=A:chained]\nRewriteRule ^/two$ /b.txt",
     ["/one", "/two"]),
    ("RewriteEngine On\nRewriteRule ^/skip - [S=1]\nRewriteRule . - [E=A:not]\nRewriteRule . - [E=B:always]", ["/skip", "/a.txt"]),
    ("RewriteEngine On\nRewriteRule ^(.*)_(.*)$ $1-$2 [N]\nRewriteRule ^/(.*-.*)$ /$1 [R]", ["/a_b_c_d"]),
    ("RewriteEngine On\nRewriteRule ^/loop(.*)$ /loop$1x [N]", ["/loop"]),
    ("RewriteEngine On\nRewriteRule !^/a - [F]", ["/a.txt", "/b.txt"]),
    ("RewriteEngine On\nRewriteRule ^/(?!a\\.)(.*)$ /a.txt [L]", ["/a.txt", "/b.txt"]),
    ("RewriteEngine On\nAlias /al @site@/dir\nRewriteRule ^/x/(.*)$ /al/$1", ["/x/c.txt"]),
    ("RewriteEngine On\nAlias /al @site@/dir\nRewriteRule ^/x/(.*)$ /al/$1 [PT]", ["/x/c.txt", "/x/c.txt?q=1"]),
    ("RewriteEngine On\nRewriteRule ^/x/(.*)$ @site@/dir/$1", ["/x/c.txt", "/x/none"]),
    ("RewriteEngine On\nRewriteRule ^/x/(.*)$ $1", ["/x/a.txt", "/x//a.txt"]),
    ("RewriteEngine On\nRewriteRule ^/(x.*)$ %{DOCUMENT_ROOT}/$1", ["/x"]),
    ("RewriteEngine On\nRewriteRule ^/r/(.*)$ a.txt", ["/r/x"]),
    ("RewriteEngine On\nRewriteRule ^/self$ http://%{HTTP_HOST}/a.txt", ["/self"]),
    ("RewriteEngine On\nRewriteRule ^/self$ http://other.example:81/a.txt?a=b", ["/self?c"]),
    ("RewriteEngine On\nRewriteRule ^/m$ mailto:a@b.example [R]", ["/m"]),
    ("RewriteEngine On\nRewriteRule ^/x(.*)$ /y$1 [R]", ["/x%3Fq", "/x%25", "/x%2Bz", "/x;a=b,c"]),
    ("RewriteEngine On\nRewriteRule ^/x(.*)$ /a.txt?$1 [UnsafeAllow3F]", ["/x%3Fq"]),
    ("RewriteEngine On\nRewriteRule ^/x(.*)$ /a.txt?$1", ["/x%3Fq"]),
    ("RewriteEngine On\nRewriteRule ^/t$ /a.txt [T=application/x-test]", ["/t"]),
    ("RewriteEngine On\nRewriteRule . - [CO=c:v:.example.org:0:/p:secure:httponly:Lax]", ["/a.txt", "/none"]),
    ("RewriteEngine On\nRewriteMap low int:tolower\nRewriteMap up int:toupper\nRewriteRule ^/m/(.*)$ /${low:$1}/${up:$1} [R]", ["/m/AbC"]),
    ("RewriteEngine On\nRewriteMap t txt:@site@/maps/table.txt\nRewriteRule ^/m/(.*)$ /${t:$1|a.txt}", ["/m/one", "/m/two", "/m/none"]),
    ("RewriteEngine On\nRewriteMap t txt:@site@/maps/table.txt\nRewriteCond ${t:$1} (.+)\nRewriteRule ^/m/(.*)$ /%1", ["/m/one", "/m/none"]),
    ("RewriteEngine On\nRewriteMap esc int:escape\nRewriteMap un int:unescape\nRewriteRule ^/m/(.*)$ /x?${esc:$1} [R,NE]\nRewriteRule ^/u/(.*)$ /${un:$1} [R]",
     ["/m/a%20b%26", "/u/a%2520b"]),
    ("RewriteEngine On\nRewriteRule ^/a$ /b\nRewriteRule ^/b$ /a.txt [END]\n<Directory @site@>\nRewriteEngine On\nRewriteRule ^a - [F]\n</Directory>", ["/a", "/a.txt"]),
    ("RewriteEngine Off\nRewriteRule ^/ - [F]", ["/a.txt"]),
    ("RewriteEngine On\nRewriteRule ^//?x$ /a.txt", ["/x", "//x", "/%78"]),
    ("RewriteEngine On\nRewriteCond %{THE_REQUEST} \\s//x\nRewriteRule . - [F]", ["//x", "/x"]),
    ("RewriteEngine On\nRewriteCond %{HTTPS} off\nRewriteCond %{SERVER_NAME}:%{SERVER_PORT} ^(.*)$\nRewriteRule ^(.*)$ https://%1$1 [R=301,L]", ["/a.txt?x=%20y"]),
    ("RewriteEngine On\nRewriteCond %{HTTPS}s ^(on(s)|offs)$\nRewriteRule ^/z http%2://%{HTTP_HOST}%{REQUEST_URI} [R]", ["/z/a%20b", "/z?a=%2F"]),
    ("RewriteEngine On\nRewriteRule ^/ - [E=A:%{ENV:NOSUCH}%{REQUEST_SCHEME}%{IPV6}%{IS_SUBREQ}%{SERVER_PROTOCOL}]", ["/a.txt"]),
    ("Redirect /r http://x.example/\nRewriteEngine On\nRewriteRule ^/r/(.*)$ /a.txt", ["/r/1", "/r"]),
    ("Redirect /r http://x.example/\nRewriteEngine On\nRewriteRule ^/s/(.*)$ /r/$1 [PT]\nRewriteRule ^/t/(.*)$ /r/$1", ["/s/1", "/t/1"]),
    # Rules in sections.
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^old$ a.txt\n</Directory>", ["/old", "/a.txt", "/old/x", "/old?q=1"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^old$ /a.txt [E=A:1]\n</Directory>", ["/old", "/old?q"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^old$ /new [R=301]\n</Directory>", ["/old?q=1"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteBase /\nRewriteRule ^old$ new [R=301]\n</Directory>", ["/old?q=1"]),
    ("<Directory @site@/dir>\nRewriteEngine On\nRewriteBase /dir\nRewriteRule ^old/(.*)$ $1 [R]\nRewriteRule ^see/(.*)$ sub/$1\n</Directory>",
     ["/dir/old/c.txt", "/dir/see/d.txt", "/dir/c.txt", "/dir", "/dir/"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteCond %{REQUEST_FILENAME} !-d\nRewriteRule ^(.*)$ a.txt?path=$1 [QSA,L]\n</Directory>",
     ["/b.txt", "/dir/", "/none", "/none/x?y=1", "/", "/dir/none/x", "/with%20space.txt", "/b.txt/info"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^(.*)$ dir/$1 [L]\n</Directory>", ["/c.txt"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^a\\.txt$ b.txt [E=A:%{REQUEST_URI}]\n</Directory>", ["/a.txt"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^x$ a.txt [END]\nRewriteRule ^a - [F]\n</Directory>", ["/x", "/a.txt"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^x$ a.txt [L]\nRewriteRule ^a - [F]\n</Directory>", ["/x"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^a - [F]\n</Directory>\n<Directory @site@/dir>\nRewriteEngine On\nRewriteRule ^c - [G]\n</Directory>",
     ["/a.txt", "/dir/c.txt", "/dir/a"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule . - [E=A:outer]\n</Directory>\n<Directory @site@/dir>\nRewriteEngine On\nRewriteOptions Inherit\nRewriteRule . - [E=B:inner]\n</Directory>",
     ["/a.txt", "/dir/c.txt"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteOptions InheritDown\nRewriteRule . - [E=A:outer]\n</Directory>\n<Directory @site@/dir>\nRewriteRule . - [E=B:inner]\n</Directory>",
     ["/dir/c.txt"]),
    ("<Directory @site@/deny>\nRequire all denied\n</Directory>\n<Directory @site@>\nRewriteEngine On\nRewriteRule ^x$ deny/f.txt\n</Directory>", ["/x", "/deny/f.txt"]),
    ("<Location /dir>\nRewriteEngine On\nRewriteRule (.*) - [E=A:$1]\n</Location>", ["/dir/c.txt", "/dir/none/more"]),
    ("<Location /dir>\nRewriteEngine On\nRewriteRule c\\.txt$ /a.txt\n</Location>", ["/dir/c.txt"]),
    ("<Location />\nRewriteEngine On\nRewriteCond %{HTTPS} off\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]\n</Location>", ["/a.txt?x=1", "/none/y"]),
    ("<Files a.txt>\nRewriteEngine On\nRewriteRule . - [F]\n</Files>", ["/a.txt", "/b.txt"]),
    ("Alias /al @site@/dir\n<Directory @site@/dir>\nRewriteEngine On\nRewriteRule ^x$ c.txt\nRewriteRule ^y$ c.txt [R]\n</Directory>", ["/al/x", "/al/y"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^go$ http://o.example/ [R,NE]\nRewriteRule ^enc/(.*)$ http://o.example/$1 [R]\n</Directory>", ["/go", "/enc/a%20b%26"]),
    ("<Directory @site@>\nRewriteEngine On\nRewriteRule ^pi/(.*)$ - [DPI]\nRewriteRule ^b\\.txt/(.*)$ a.txt?$1 [L]\n</Directory>", ["/b.txt/more/info"]),
    ("SetEnvIf X-B (.+) B=$1\n<Directory @site@>\nRewriteEngine On\nRewriteCond %{ENV:B} ^go$\nRewriteRule ^x$ a.txt [E=A:%{ENV:B}]\n</Directory>", [("/x", ["X-B: go"]), ("/x", ["X-B: no"])]),
    ("RewriteEngine On\nRewriteRule ^/a /b.txt\n<Location /a.txt>\nRewriteEngine Off\n</Location>", ["/a.txt", "/a"]),
    ("RewriteRule ^/a /b.txt\n<Location /a.txt>\nRewriteEngine On\n</Location>", ["/a.txt", "/a"]),
    ("RewriteEngine On\n<Directory @site@/dir>\nRewriteRule ^x$ c.txt\n</Directory>", ["/dir/x"]),
    ("RewriteEngine On\nRewriteRule ^/x%3F - [F]\nRewriteRule ^/w(.*)$ /y$1 [R,NE]\nRewriteRule ^/v(.*)$ /a.txt$1", ["/w%3Fq", "/v%3Fq"]),
    ("RewriteEngine On\nRewriteRule ^/x /a.txt?q=%{QUERY_STRING}&r=1& [R]", ["/x?a=%20b", "/x"]),
    ("RewriteEngine On\nRewriteRule ^/x$ /y [R=303,E=A:1]\nRewriteRule . - [E=B:2]", ["/x"]),
    ("RewriteEngine On\nRewriteRule ^/x$ https://o.example:444/y\nRewriteRule y$ /z [R=301]", ["/x"]),
    ("RewriteEngine On\nRewriteRule ^/b%20c$ - [F]\nRewriteRule \"^/b c$\" /a.txt", ["/b%20c"]),
    # SetEnvIf.
    ("SetEnvIf Request_URI \\.txt$ A=text\nSetEnvIf A ^t B=$0", ["/a.txt", "/dir/"]),
    ("SetEnvIf X-A ^(.)(.)? A=$2$1 B\nSetEnvIf X-A ^z !A", [("/a.txt", ["X-A: qr"]), ("/a.txt", ["X-A: zr"]), "/a.txt"]),
    ("SetEnvIf X-None ^$ A=missing", ["/a.txt", ("/a.txt", ["X-None: 1"])]),
    ("SetEnvIfNoCase User-Agent BOT A\nBrowserMatch Mozilla B=moz", [("/a.txt", ["User-Agent: robot"]), ("/a.txt", ["User-Agent: Mozilla bot"])]),
    ("SetEnvIf ^X-T.* yes A=any", [("/a.txt", ["X-Test: yes"]), ("/a.txt", ["X-Test: no"])]),
    ("SetEnvIf Request_Method ^H A=head\nSetEnvIf Request_Protocol 1\\.1$ B\nSetEnvIf Remote_Addr ^127 REDIRECT_A=lo", ["/a.txt", "HEAD /a.txt"]),
    ("SetEnvIfExpr \"%{REQUEST_URI} =~ m#^/(\\w+)\\.txt#\" A=$1\nSetEnvIfExpr \"-n %{QUERY_STRING}\" B", ["/a.txt", "/a.txt?x", "/dir/"]),
    ("SetEnvIf X-A . B=server\n<Location /a.txt>\nSetEnvIf X-A . A=location\n</Location>\n<Directory @site@/dir>\nSetEnvIf X-A (.) A=dir$1\n</Directory>",
     [("/a.txt", ["X-A: 1"]), ("/dir/c.txt", ["X-A: 1"]), ("/b.txt", ["X-A: 1"])]),
    ("SetEnv A static\nSetEnvIf X-A . A=dynamic\nHeader set X-Extra yes env=A\nHeader set X-More yes env=!B", [("/a.txt", ["X-A: 1"]), "/a.txt"]),
    ("SetEnvIf X-Key secret open\n<Location />\nRequire env open\n</Location>", ["/a.txt", ("/a.txt", ["X-Key: secret"])]),
    ("SetEnvIf X-Key secret open\n<Location />\nOrder deny,allow\nDeny from all\nAllow from env=open\n</Location>", ["/a.txt", ("/a.txt", ["X-Key: secret"])]),
    ("SetEnvIf Host ^case A=$0\nSetEnvIf X-A ^(.*)$ B=[$1]", [("/a.txt", ["X-A: 1", "X-A: 2"])]),
    # <If> and expressions.
    ("<If \"%{REQUEST_URI} == '/a.txt'\">\nHeader set X-Extra one\n</If>\n<ElseIf \"%{REQUEST_URI} =~ /b/\">\nHeader set X-Extra two\n</ElseIf>\n<Else>\nHeader set X-Extra three\n</Else>",
     ["/a.txt", "/b.txt", "/dir/"]),
    ("<If \"-n req('X-A')\">\nRequire all denied\n</If>", ["/a.txt", ("/a.txt", ["X-A: 1"])]),
    ("<Directory @site@/dir>\n<If \"%{QUERY_STRING} == 'x'\">\nHeader append X-Extra in\n</If>\nHeader append X-Extra dir\n</Directory>\n<If true>\nHeader append X-Extra top\n</If>\n<Location /dir>\nHeader append X-Extra loc\n</Location>",
     ["/dir/c.txt?x", "/dir/c.txt", "/a.txt?x"]),
    ("<If \"%{QUERY_STRING} =~ /a/\">\n<If \"%{QUERY_STRING} =~ /b/\">\nHeader set X-Extra both\n</If>\nHeader set X-More a\n</If>", ["/a.txt?a", "/a.txt?ab", "/a.txt?b"]),
    ("<If \"%{HTTP_HOST} == 'x.example'\">\nRedirect / http://y.example/\n</If>\n<Else>\nRedirect /q http://z.example/\n</Else>", ["/a.txt", "/q/1"]),
    ("<If \"%{QUERY_STRING} == 'go'\">\nRewriteEngine On\nRewriteRule . /b.txt\n</If>", ["/a.txt", "/a.txt?go"]),
    ("<Location />\nRequire expr \"%{QUERY_STRING} in {'a', 'b'} || -n req('X-Key')\"\n</Location>", ["/a.txt?a", "/a.txt?c", ("/a.txt", ["X-Key: 1"])]),
    ("<Location />\n<RequireAll>\nRequire all granted\nRequire not expr %{HTTP_USER_AGENT} =~ /bad/\n</RequireAll>\n</Location>", ["/a.txt", ("/a.txt", ["User-Agent: bad"])]),
    ("Header set X-Extra \"expr=%{REQUEST_METHOD}-%{HTTP_HOST}-%{req:X-A}-%{tolower:AbC}\" \"expr=%{REQUEST_STATUS} == 200\"", [("/a.txt", ["X-A: 5"]), "/none"]),
    ("Header always set X-Extra seen expr=%{REQUEST_STATUS}>=400", ["/a.txt", "/none"]),
    # What groups with names find.
    ("<LocationMatch \"^/(?<part>[^/]+)/(?<rest>.*)$\">\nHeader always set X-Extra \"%{MATCH_PART}e|%{MATCH_REST}e\"\n</LocationMatch>",
     ["/dir/c.txt", "/a.txt", "/dir/", "/none/x%20y"]),
    ("<DirectoryMatch \"/(?<Folder>[^/]+)/sub/\">\nHeader always set X-Extra %{MATCH_FOLDER}e\n</DirectoryMatch>", ["/dir/sub/d.txt", "/dir/c.txt"]),
    ("<FilesMatch \"^(?<base>.*)\\.txt$\">\nHeader always set X-Extra %{MATCH_BASE}e\n</FilesMatch>", ["/a.txt", "/dir/c.txt", "/down"]),
    ("<LocationMatch \"^/(?<one>a)?(?<two>.)\">\nHeader always set X-Extra \"%{MATCH_ONE}e|%{MATCH_TWO}e\"\n</LocationMatch>", ["/a.txt", "/b.txt"]),
    ("<LocationMatch \"^/(?<name>[ab])\\.txt\">\nRewriteEngine On\nRewriteCond %{ENV:MATCH_NAME} =a\nRewriteRule . - [F]\n</LocationMatch>", ["/a.txt", "/b.txt"]),
    ("RewriteEngine On\nRewriteCond %{ENV:MATCH_NAME} =a\nRewriteRule ^/a /b.txt\n<LocationMatch \"^/(?<name>[ab])\\.txt\">\n"
     "Header always set X-Extra %{MATCH_NAME}e\n</LocationMatch>", ["/a.txt", "/b.txt"]),
    ("<LocationMatch \"^/(?<name>[ab])\\.txt\">\n<If \"reqenv('MATCH_NAME') == 'a'\">\nRequire all denied\n</If>\n</LocationMatch>", ["/a.txt", "/b.txt"]),
]

# Each expression, and whether it is true, is asked through a header.
EXPRESSIONS = r"""
true
false || true
!true || (true && !false)
'a' == 'a'
'a' = 'b'
'a' != 'b'
'a' < 'b'
'b' <= 'a'
'10' < '9'
10 -gt 9
'10' lt '9'
'x' -eq 0
'5x' -eq 5
-n ''
-z ''
-T 'off'
-T '0'
-T 'x'
-T 'No'
%{REMOTE_ADDR} -ipmatch '127.0.0.0/8'
%{REMOTE_ADDR} -ipmatch '10.0.0.0/8'
-R '127.0.0.1'
'/a/b/c' -strmatch '/a/*'
'/a/b/c' -fnmatch '/a/*'
'/A/b' -strcmatch '/a/*'
'/A/b' -strmatch '/a/*'
'abc' =~ /B/
'abc' =~ /B/i
'abc' !~ /x/
'a/b' =~ m#^a/b$#
'abc' =~ /^(.)(.)/ && $2 == 'b'
'abc' =~ /^(.)/ && 'a' == $1
'a' in { 'b', 'a' }
%{REQUEST_METHOD} in { 'GET', 'HEAD' }
'a' . 'b' == 'ab'
'a'.'b'.'c' == 'abc'
"%{REQUEST_URI}" == '/a.txt'
"x%{QUERY_STRING}y" == 'xq=1y'
%{REQUEST_SCHEME} == 'http'
%{HTTPS} == 'off'
%{SERVER_PROTOCOL} == 'HTTP/1.1'
%{THE_REQUEST} == 'GET /a.txt?q=1 HTTP/1.1'
%{SERVER_PORT} == '80'
%{SERVER_NAME} =~ /^expr/
%{HTTP_USER_AGENT} == ''
%{req:X-A} == 'one'
http('X-A') == 'one'
%{HTTP:X-A} == 'one'
req_novary('x-a') == 'one'
tolower('ABC') == 'abc'
toupper(%{req:X-A}) == 'ONE'
md5('abc') == '900150983cd24fb0d6963f7d28e17f72'
sha1('abc') == 'a9993e364706816aba3e25717850c26c9cd0d89d'
base64('abc') == 'YWJj'
unbase64('YWJj') == 'abc'
escape('a b') == 'a%20b'
unescape('a%20b') == 'a b'
unescape('a%2fb') == ''
unescape('a%2fb') == 'a/b'
unescape('a%2fb') == 'a%2fb'
unescape('a%zzb') == ''
osenv('NO_SUCH_VARIABLE') == ''
env('NO_SUCH_VARIABLE') == ''
reqenv('S') == 'set'
%{reqenv:S} == 'set'
note('x') == ''
-f '@site@/a.txt'
-f '@site@/dir'
-d '@site@/dir'
-e '@site@/none'
-s '@site@/empty.txt'
-s '@site@/a.txt'
-L '@site@/link.txt'
file('@site@/a.txt') == "content of a.txt\n"
filesize('@site@/empty.txt') -eq 0
filesize('@site@/a.txt') -gt 3
%{DOCUMENT_ROOT} == '@site@'
%{REQUEST_FILENAME} == '@site@/a.txt'
%{SCRIPT_FILENAME} == '@site@/a.txt'
%{PATH_INFO} == ''
%{CONTENT_TYPE} == ''
%{IS_SUBREQ} == 'false'
%{TIME_YEAR} -gt 2000
%{TIME_MON} -le 12
%{TIME_WDAY} -le 6
%{TIME} -gt 20000101000000
%{REMOTE_USER} == ''
%{AUTH_TYPE} == ''
%{IPV6} == 'off'
%{REMOTE_HOST} == '127.0.0.1'
"\"" == '"'
'it\'s' == "it's"
'a' == 'a' && 'b' == 'b' || false
! 'a' == 'b'
%{QUERY_STRING} =~ /q=(\d)/ && $1 -eq 1
""".strip().splitlines()
