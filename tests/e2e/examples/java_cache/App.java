// Reads from an extension's loopback ports with Java's own HTTP client: [status, body] of each path.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;

public class App {
  private static final HttpClient CLIENT = HttpClient.newHttpClient();

  public List<List<Object>> handle(List<String> paths) throws Exception {
    List<List<Object>> found = new ArrayList<>();
    for (String path : paths) {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create("http://localhost:" + path))
              .header("X-Aws-Parameters-Secrets-Token", System.getenv("AWS_SESSION_TOKEN"))
              .build();
      var answer = CLIENT.send(request, BodyHandlers.ofString());
      found.add(List.of(answer.statusCode(), answer.body()));
    }
    return found;
  }
}
