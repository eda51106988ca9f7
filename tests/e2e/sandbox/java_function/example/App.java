// A function of each kind that Java functions have: RequestHandler, a method with a POJO, a method with streams.
package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Map;
import java.util.TreeMap;

public class App implements RequestHandler<Map<String, Object>, Object> {
  static int count = 0;

  public Object handleRequest(Map<String, Object> event, Context context) {
    System.out.println("printed " + event);
    context.getLogger().log("logged\nsecond line");
    if ("raise".equals(event.get("do"))) throw new IllegalStateException("no such luck");
    if ("exit".equals(event.get("do"))) System.exit(7);
    Map<String, Object> answer = new TreeMap<>();
    answer.put("event", event);
    answer.put("id", context.getAwsRequestId());
    answer.put("arn", context.getInvokedFunctionArn());
    answer.put("left", context.getRemainingTimeInMillis());
    answer.put("count", ++count);
    answer.put("java", System.getProperty("java.specification.version"));
    answer.put("runtime", System.getenv("AWS_EXECUTION_ENV"));
    answer.put("home", System.getProperty("java.home"));
    answer.put("command", ProcessHandle.current().info().command().orElse(""));
    return answer;
  }

  public static class Person {
    public String name;
    public int age;
  }

  public Person older(Person person) {
    person.age++;
    return person;
  }

  public void stream(InputStream in, OutputStream out) throws IOException {
    out.write("<".getBytes());
    out.write(in.readAllBytes());
    out.write(">".getBytes());
  }

  public String library(Object event) throws Exception {
    return (String) Class.forName("other.Library").getField("NAME").get(null);
  }
}
